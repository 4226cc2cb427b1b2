//! How a route's bodies go: buffering, what is sent instead, speed.

use super::Cx;
use crate::bodies::{BandwidthPlan, BodyPlan, SentPlan, keep_of};
use bifrons_config::units::Size;
use bifrons_config::{At, Place, Template};
use bifrons_core::Limits;
use bifrons_http::spool::{HoldRules, Keep, Rules, SpoolDir, make_dir};
use bifrons_model::{AccelField, Bandwidth, Proxy, Switch};
use std::path::PathBuf;
use std::sync::Arc;

/// Where temporary files go where nothing is said: on a disk, everywhere there, and everybody's.
const TEMP_DIR: &str = "/var/tmp";

/// The plan of a route's `proxy`. `limits` are the cluster's.
pub(super) fn plan(cx: &mut Cx<'_>, proxy: &Proxy, place: &Option<Place>, limits: Limits) -> BodyPlan {
    let (request, response) = (&proxy.request_buffering, &proxy.response_buffering);
    if request.levels.len() > 3 || request.levels.iter().any(|level| !matches!(level, 1 | 2)) {
        let help = Some("write up to three numbers, each 1 or 2".to_owned());
        cx.problem(place, "invalid `levels` of temporary files", help);
    }
    let sent = &proxy.request;
    if let Some(method) = sent.method.as_ref().and_then(Template::as_text)
        && !bifrons_http::name::is_token(method.as_bytes())
    {
        cx.problem(place, format!("\"{method}\" is no method"), None);
    }
    if let Some(rate) = &response.rate {
        check_size(cx, place, "rate", rate);
    }
    let levels = request.levels.clone();
    BodyPlan {
        collects: request.mode == Switch::On,
        collect: Rules {
            memory: request.memory.as_usize(),
            keep: keep_of(request.files),
            dir: Arc::new(SpoolDir { path: dir(cx, request.path.as_ref()), levels }),
        },
        holds: response.mode == Switch::On,
        hold: Arc::new(HoldRules {
            memory: response.memory.as_usize(),
            file: response.file.0,
            write: response.write.as_usize().max(1),
            dir: Arc::new(SpoolDir { path: dir(cx, response.path.as_ref()), levels: Vec::new() }),
        }),
        rate: response.rate.clone(),
        heeds_buffering: proxy.accel.contains(&AccelField::Buffering),
        heeds_rate: proxy.accel.contains(&AccelField::LimitRate),
        heeds_charset: proxy.accel.contains(&AccelField::Charset),
        sent: (*sent != Default::default()).then(|| {
            Box::new(SentPlan {
                method: sent.method.clone(),
                body: sent.body.clone(),
                no_body: sent.no_body,
                no_headers: sent.no_headers,
            })
        }),
        trailers: proxy.trailers,
        limits: Limits { head_bytes: proxy.max_head.map_or(limits.head_bytes, Size::as_usize), ..limits },
    }
}

/// How fast a route's answers go.
pub(super) fn bandwidth(cx: &mut Cx<'_>, bandwidth: Option<&At<Bandwidth>>) -> Option<Box<BandwidthPlan>> {
    let At { value, place } = bandwidth?;
    check_size(cx, place, "rate", &value.rate);
    if !value.after.is_empty() {
        check_size(cx, place, "after", &value.after);
    }
    if !value.first.is_empty() {
        check_size(cx, place, "first", &value.first);
    }
    let Bandwidth { rate, after, first } = value.clone();
    Some(Box::new(BandwidthPlan { rate, after, first: Some(first).filter(|first| !first.is_empty()) }))
}

/// A constant must be a size; what variables make of it shows with the request.
fn check_size(cx: &mut Cx<'_>, place: &Option<Place>, key: &str, template: &Template) {
    if let Some(Err(err)) = template.as_text().map(str::parse::<Size>) {
        cx.problem_text(place, &format!("`{key}`: {err}"));
    }
}

/// The directory, made if it is missing. That it is of no use is told now and not with the first large body.
fn dir(cx: &mut Cx<'_>, path: Option<&At<String>>) -> PathBuf {
    let Some(At { value, place }) = path else { return PathBuf::from(TEMP_DIR) };
    let path = cx.options.base.join(value);
    if !cx.dirs.insert(path.clone()) {
        return path;
    }
    if !cx.options.dry_run {
        if let Err(err) = make_dir(&path) {
            cx.problem(place, format!("cannot make the directory {}: {err}", path.display()), None);
        } else if let Err(err) = (SpoolDir { path: path.clone(), levels: Vec::new() }).create(Keep::Anonymous)
        {
            cx.problem(place, format!("cannot make {err}"), None);
        }
    } else if path.exists() && !path.is_dir() {
        cx.problem(place, format!("{} is no directory", path.display()), None);
    }
    path
}
