//! `X-Accel-Redirect`: an endpoint leads the request to another route of its host.

use super::{Detour, Turn, read_only};
use crate::request::Task;
use bifrons_core::{Error, Kind, Result};
use bifrons_http::{FieldName, Name, RequestHead, Response};
use percent_encoding::percent_decode;

/// Fields of the endpoint's answer that stay, as in nginx.
const KEPT: [&str; 6] =
    ["Content-Type", "Set-Cookie", "Content-Disposition", "Cache-Control", "Expires", "Accept-Ranges"];

/// Where the answer leads.
///
/// # Errors
/// `NotFound` for what is no path.
pub(super) fn turn(task: &mut Task<'_>, head: &mut RequestHead, res: &Response) -> Result<Turn> {
    let to = res.head.headers.get(Name::XAccelRedirect).unwrap_or_default();
    let turn = match to {
        [b'@', ..] => Turn::to(to)?,
        _ => {
            let (path, query) = bifrons_route::split_target(to);
            // The path is decoded where paths of requests are; what climbs is refused, as nginx does it.
            let path = if task.cx.is_decoded { percent_decode(path).collect() } else { path.to_vec() };
            let climbs = path.split(|&byte| byte == b'/').any(|segment| segment == b"..");
            if !path.starts_with(b"/") || climbs || path.contains(&0) {
                return Err(Error::upstream(Kind::NotFound, "an X-Accel-Redirect that is no path"));
            }
            read_only(head);
            Turn::Path { path, query: query.map(<[u8]>::to_vec) }
        }
    };
    let detour: &mut Detour = task.detour.get_or_insert_default();
    for name in KEPT {
        let Some(field) = FieldName::new(name) else { continue };
        let values = res.head.headers.get_all(name).map(|value| (field.clone(), value.to_vec()));
        detour.fields.extend(values);
    }
    Ok(turn)
}
