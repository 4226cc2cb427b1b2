//! A route's cache, ready to serve.

use crate::age::Heuristic;
use crate::answer::Manner;
use crate::config::{CacheConfig, IgnoredField, Standard, UseStale};
use crate::flight::Flights;
use crate::key::KeyPlan;
use crate::purge::PurgePlan;
use crate::storable::{Ignored, Rules};
use crate::stored::{Stored, Verdict};
use bifrons_config::Template;
use bifrons_config::units::Size;
use bifrons_http::FieldName;
use bifrons_http::range::PARTS_MAX;
use bifrons_http::vars::Scope;
use bifrons_observe::metrics::CacheStats;
use bifrons_store::{Object, Zone};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// 1 KiB: with less, what is known about a slice would be more than the slice.
const SLICE_BYTES_MIN: u64 = 1024;

/// A zone with what is under way for it. Outlives snapshots.
#[derive(Debug)]
pub struct CacheZone {
    /// Its name.
    pub name: Box<str>,
    /// Its directory; another one is another zone.
    pub path: Option<PathBuf>,
    /// The store; the same under two names while a configuration with another one comes into force.
    pub store: Arc<Zone>,
    /// Series of its metrics.
    pub stats: CacheStats,
    /// Requests under way.
    pub flights: Arc<Flights<Object>>,
}

/// A route's cache.
#[derive(Debug)]
pub struct CachePlan {
    /// Where answers are kept; `None` in a check, which opens nothing.
    pub zone: Option<Arc<CacheZone>>,
    /// What makes requests the same.
    pub key: KeyPlan,
    /// What is stored.
    pub rules: Rules,
    /// Uses before something is stored.
    pub min_uses: u32,
    bypass: Box<[Template]>,
    no_store: Box<[Template]>,
    /// Whether a HEAD goes on as a GET.
    pub convert_head: bool,
    /// Whether outdated answers are asked for with their validators.
    pub revalidate: bool,
    use_stale: Box<[UseStale]>,
    /// Whether outdated answers are fetched anew while they are given.
    pub background: bool,
    /// Whether requests for the same share one.
    pub collapse: bool,
    /// How long they wait.
    pub collapse_timeout: Duration,
    /// How old the shared one may be.
    pub collapse_age: Duration,
    /// How long those of what is not stored do not wait.
    pub pass_for: Duration,
    /// Where a range may begin at most.
    pub range_max: Option<u64>,
    force_ranges: bool,
    /// Whether answers to POST are stored.
    pub post: bool,
    /// Whether answers are not stored that a field beside the key may have changed.
    pub guards_overrides: bool,
    /// Bytes of a slice.
    pub slice: Option<u64>,
    /// Who may purge.
    pub purge: Option<PurgePlan>,
    /// Whether `Cache-Status` is written.
    pub cache_status: bool,
    /// Whether `X-Cache-Status` is written.
    pub x_cache_status: bool,
}

/// Why an outdated answer may be wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The origin answered with that status.
    Status(u16),
    /// It did not answer.
    Error,
    /// Not in time.
    Timeout,
    /// Not with an answer.
    Invalid,
}

impl CachePlan {
    /// From its configuration.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn build(config: &CacheConfig, zone: Option<Arc<CacheZone>>) -> Result<Self, String> {
        let mut ttl = Vec::new();
        for (status, time) in &config.ttl {
            let status = match status.as_str() {
                "any" => 0,
                text => text.parse().ok().filter(|status| (100..=599).contains(status)).ok_or_else(|| {
                    format!(
                        "\"{text}\" in `ttl` is no status\nhelp: write a number from 100 to 599, or `any`"
                    )
                })?,
            };
            ttl.push((status, time.0.as_secs()));
        }
        if config.standard == Standard::Rfc9111 {
            // A status goes before any.
            ttl.sort_by_key(|(status, _)| *status == 0);
        }
        let field = |name: &String| {
            FieldName::new(name).ok_or_else(|| format!("\"{name}\" in `targets` is no field name"))
        };
        let has = |field| config.ignore.contains(&field);
        let rules = Rules {
            standard: config.standard,
            ignored: Ignored {
                cache_control: has(IgnoredField::CacheControl),
                expires: has(IgnoredField::Expires),
                set_cookie: config.set_cookie,
                vary: has(IgnoredField::Vary),
                x_accel_expires: has(IgnoredField::XAccelExpires),
            },
            heuristic: Heuristic {
                percent: (config.heuristic.as_f64() * 100.0).round().clamp(0.0, 100.0) as u8,
                max_s: config.heuristic_max.0.as_secs(),
            },
            ttl,
            targets: config.targets.iter().map(field).collect::<Result<_, _>>()?,
            heeds_requests: config.heed_requests,
            guards_types: config.guard_types,
        };
        Ok(Self {
            zone,
            key: KeyPlan::build(&config.key)?,
            rules,
            min_uses: config.min_uses,
            bypass: config.bypass.clone().into(),
            no_store: config.no_store.clone().into(),
            convert_head: config.convert_head,
            revalidate: config.revalidate,
            use_stale: config.use_stale.clone().into(),
            background: config.background,
            collapse: config.collapse,
            collapse_timeout: config.collapse_timeout.0,
            collapse_age: config.collapse_age.0,
            pass_for: config.pass_for.0,
            range_max: config.range_max.map(|size| size.0),
            force_ranges: config.force_ranges,
            post: config.post,
            guards_overrides: config.guard_overrides,
            slice: slice(config.slice)?,
            purge: config.purge.as_ref().map(PurgePlan::build).transpose()?,
            cache_status: config.cache_status,
            x_cache_status: config.x_cache_status,
        })
    }

    /// How a stored answer is given. `is_hit`: it was stored before this request.
    pub fn manner(&self, is_hit: bool) -> Manner {
        let is_nginx = self.rules.standard == Standard::Nginx;
        // nginx passes several ranges by while it stores.
        let parts_max = if is_nginx && !is_hit { 1 } else { PARTS_MAX };
        Manner { standard: self.rules.standard, forces_ranges: self.force_ranges, parts_max }
    }

    /// Whether the store is not to be looked at.
    pub fn bypasses(&self, scope: &Scope<'_>) -> bool {
        says_so(&self.bypass, scope)
    }

    /// Whether the answer is not to be stored.
    pub fn refuses(&self, scope: &Scope<'_>) -> bool {
        says_so(&self.no_store, scope)
    }

    /// Whether an outdated answer may be given while it is fetched anew (RFC 5861 3).
    pub fn may_update(&self, stored: &Stored, verdict: Verdict) -> bool {
        let Verdict::Stale(stale_s) = verdict else { return false };
        is_within(stored, stale_s, stored.times.while_revalidate_s)
            || self.use_stale.contains(&UseStale::Updating)
    }

    /// Whether one may be given in place of what came (RFC 9111 4.2.4, RFC 5861 4).
    pub fn may_stand_in(&self, stored: &Stored, verdict: Verdict, trouble: Trouble) -> bool {
        let Verdict::Stale(stale_s) = verdict else { return false };
        let is_error = match trouble {
            Trouble::Status(status) => matches!(status, 500 | 502 | 503 | 504),
            Trouble::Error | Trouble::Timeout | Trouble::Invalid => true,
        };
        if is_error && is_within(stored, stale_s, stored.times.if_error_s) {
            return true;
        }
        self.use_stale.iter().any(|when| match trouble {
            Trouble::Status(status) => when.status() == Some(status),
            Trouble::Error => *when == UseStale::Error,
            Trouble::Timeout => *when == UseStale::Timeout,
            Trouble::Invalid => *when == UseStale::InvalidHeader,
        })
    }

    /// How long outdated answers are of use by the configuration alone, in seconds.
    pub fn stale_max_s(&self) -> u64 {
        // 30 days: what is older than that is not given in place of an error.
        if self.use_stale.is_empty() { 0 } else { 30 * 24 * 60 * 60 }
    }
}

/// Whether one that is stale by so many seconds is so for no longer than allowed.
fn is_within(stored: &Stored, stale_s: u64, most_s: u64) -> bool {
    stale_s < most_s || stored.terms.to_the_end && most_s > 0 && stale_s == most_s
}

/// Bytes of a slice.
fn slice(size: Option<Size>) -> Result<Option<u64>, String> {
    match size.map(|size| size.0) {
        Some(size) if size < SLICE_BYTES_MIN => {
            Err(format!("a `slice` of {size} bytes is too small\nhelp: {SLICE_BYTES_MIN} are the least"))
        }
        size => Ok(size),
    }
}

/// Whether one of the texts is neither empty nor `0`.
pub(crate) fn says_so(texts: &[Template], scope: &Scope<'_>) -> bool {
    let mut text = Vec::new();
    texts.iter().any(|template| {
        text.clear();
        template.render(scope, &mut text);
        !text.is_empty() && text != b"0"
    })
}
