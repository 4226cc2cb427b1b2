//! `${env:NAME}` and `${env:NAME:-default}` in scalars.

/// What is wrong with a reference.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EnvError {
    pub(super) message: String,
    pub(super) help: String,
    /// The reference as it stands in the text.
    pub(super) reference: String,
}

const START: &str = "${env:";

/// `text` with its references replaced; `None` where it has none. What is put in is not looked at again.
///
/// # Errors
/// A reference that is unclosed, has a bad name, or names an unset variable and gives no default.
pub(super) fn substitute(
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<String>, EnvError> {
    if !text.contains(START) {
        return Ok(None);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        let (before, from) = rest.split_at(dollar);
        out.push_str(before);
        rest = if let Some(after) = from.strip_prefix("$$") {
            out.push_str("$$");
            after
        } else if from.starts_with(START) {
            let end = from.find('}').map_or(from.len(), |close| close + 1);
            out.push_str(&value(&from[..end], env)?);
            &from[end..]
        } else {
            out.push('$');
            &from[1..]
        };
    }
    out.push_str(rest);
    Ok(Some(out))
}

/// The value of one reference, `${env:…}`.
fn value(reference: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, EnvError> {
    let wrong = |message: String, help: &str| EnvError {
        message,
        help: help.to_owned(),
        reference: reference.to_owned(),
    };
    let Some(inner) = reference.strip_prefix(START).and_then(|inner| inner.strip_suffix('}')) else {
        return Err(wrong("the closing \"}\" of \"${env:\" is missing".to_owned(), "write \"${env:NAME}\""));
    };
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        let message = format!("{name:?} is not the name of an environment variable");
        return Err(wrong(message, "write \"${env:NAME}\" or \"${env:NAME:-default}\""));
    }
    match (env(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(wrong(
            format!("environment variable \"{name}\" is not set"),
            &format!("set it, or give a default: \"${{env:{name}:-default}}\""),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(text: &str) -> Result<Option<String>, EnvError> {
        substitute(text, &|name| match name {
            "PORT" => Some("80".to_owned()),
            "EMPTY" => Some(String::new()),
            "TRICKY" => Some("${env:PORT}".to_owned()),
            _ => None,
        })
    }

    #[test]
    fn references_are_replaced_once() {
        for (text, value) in [
            ("${env:PORT}", "80"),
            ("a ${env:PORT} b ${env:PORT}", "a 80 b 80"),
            ("${env:NONE:-81}", "81"),
            ("${env:EMPTY:-81}", "81"),
            ("${env:EMPTY}", ""),
            ("${env:NONE:-}", ""),
            ("${env:NONE:-a:-b}", "a:-b"),
            ("${env:TRICKY}", "${env:PORT}"),
            ("$${env:PORT} $host ${host} $", "$${env:PORT} $host ${host} $"),
            ("$$${env:PORT}", "$$80"),
        ] {
            assert_eq!(put(text), Ok(Some(value.to_owned())), "{text}");
        }
        assert_eq!(put("$host"), Ok(None));
    }

    #[test]
    fn mistakes_name_the_variable() {
        for (text, part) in [
            ("${env:NONE}", "\"NONE\" is not set"),
            ("x ${env:PORT", "the closing"),
            ("${env:}", "\"\" is not the name"),
            ("${env:A B}", "\"A B\" is not the name"),
        ] {
            let error = put(text).expect_err(text);
            assert!(error.message.contains(part), "{error:?}");
            assert!(text.contains(&error.reference), "{error:?}");
        }
    }
}
