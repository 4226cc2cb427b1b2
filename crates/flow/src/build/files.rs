//! Directories to serve.

use super::{Cx, internal};
use crate::snapshot::{Action, FilesPlan};
use bifrons_config::At;
use bifrons_files::{
    Coding, Files, IfModifiedSince, Links, Listing, ListingFormat, Offer, OpenFiles, Options, Precompressed,
    Vary,
};
use bifrons_http::Strip;
use bifrons_model::files::{
    self as model, BrowseFormat, FileLinks, PrecompressedCoding, StaticFiles, VaryField,
};
use bifrons_route::PathPattern;

/// The action of a route that answers with files.
pub(super) fn action(cx: &mut Cx<'_>, pattern: &PathPattern, files: &At<StaticFiles>) -> Action {
    let config = &files.value;
    let (dir, strip) = match (&config.root, &config.alias) {
        (Some(root), None) => (root, Strip::Nothing),
        (None, Some(alias)) => (alias, internal::strip_of(pattern)),
        _ => {
            let help = Some("name one of them".to_owned());
            cx.problem(&files.place, "static files need either `root` or `alias`", help);
            return Action::None;
        }
    };
    let Some(document) = internal::document(cx, dir, strip) else { return Action::None };
    if let Some(twice) = config
        .precompressed
        .iter()
        .enumerate()
        .find_map(|(at, coding)| config.precompressed[..at].contains(coding).then_some(coding))
    {
        cx.problem(&files.place, format!("`precompressed` names {twice:?} twice"), None);
    }
    for coding in &config.negotiation.always {
        if !config.precompressed.contains(coding) {
            let help = Some("add it there, or leave it out here".to_owned());
            let message = format!("`negotiation.always` names {coding:?}, which is not in `precompressed`");
            cx.problem(&files.place, message, help);
        }
    }
    if config.links == FileLinks::Follow && config.links_trusted.is_some() {
        let help = Some("add `links: refuse` or `links: same_owner`".to_owned());
        cx.problem(&files.place, "`links_trusted` means nothing where links are followed", help);
    }
    if let Some(name) = config.index.iter().find(|name| !config.reroute_index && name.as_text().is_none()) {
        let help = Some("add `reroute_index: true`".to_owned());
        let message =
            format!("`index: {}` has variables, which only a path that is routed again may", name.source());
        cx.problem(&files.place, message, help);
    }
    let reroute_index = if config.reroute_index { config.index.0.clone() } else { Vec::new() };
    Action::Files(Box::new(FilesPlan {
        document,
        trusted: config.links_trusted.clone(),
        reroute_index: reroute_index.into(),
        files: Files::new(options(config)),
    }))
}

fn options(config: &StaticFiles) -> Options {
    Options {
        index: config.index.iter().filter_map(|name| name.as_text().map(str::to_owned)).collect(),
        types: config.types.clone().into_iter().collect(),
        only_types: config.only_types,
        default_type: config.default_type.clone(),
        cache: match &config.cache {
            None => Options::default().cache,
            Some(cache) => Some(bifrons_files::FileCache {
                max: usize::try_from(cache.max).unwrap_or(usize::MAX),
                valid: cache.valid.0,
                open: Some(OpenFiles {
                    inactive: cache.inactive.0,
                    uses_min: cache.uses_min,
                    errors: cache.errors,
                }),
            }),
        },
        etag: config.etag,
        if_modified_since: match config.if_modified_since {
            model::IfModifiedSince::Before => IfModifiedSince::Before,
            model::IfModifiedSince::Exact => IfModifiedSince::Exact,
            model::IfModifiedSince::Off => IfModifiedSince::Off,
        },
        ranges_max: config.ranges_max,
        precompressed: precompressed(config),
        listing: config.browse.map(|browse| Listing {
            format: match browse.format {
                BrowseFormat::Html => ListingFormat::Html,
                BrowseFormat::Json => ListingFormat::Json,
                BrowseFormat::Jsonp => ListingFormat::Jsonp,
                BrowseFormat::Xml => ListingFormat::Xml,
            },
            exact_size: browse.exact_size,
            local_time: browse.local_time,
            utf8: browse.utf8,
            page_type: if browse.utf8 { "text/html; charset=utf-8" } else { "text/html" },
        }),
        links: match config.links {
            FileLinks::Follow => Links::Follow,
            FileLinks::SameOwner => Links::SameOwner,
            FileLinks::Refuse => Links::Refuse,
        },
    }
}

fn precompressed(config: &StaticFiles) -> Option<Precompressed> {
    let offer = |coding: &PrecompressedCoding| Offer {
        coding: match coding {
            PrecompressedCoding::Br => Coding::Brotli,
            PrecompressedCoding::Zstd => Coding::Zstd,
            PrecompressedCoding::Gzip => Coding::Gzip,
        },
        always: config.negotiation.always.contains(coding),
    };
    (!config.precompressed.is_empty()).then(|| Precompressed {
        codings: config.precompressed.iter().map(offer).collect(),
        vary: match config.negotiation.vary {
            VaryField::Always => Vary::Always,
            VaryField::IfThere => Vary::IfThere,
            VaryField::Never => Vary::Never,
        },
        http10: config.negotiation.http_1_0,
        via: config.negotiation.via,
        except_user_agents: config.negotiation.except_user_agents.clone(),
    })
}
