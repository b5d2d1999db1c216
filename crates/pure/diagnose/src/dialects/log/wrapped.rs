//! Lines that another program has put into lines of its own: containers, journals.

use std::borrow::Cow;

use serde_json::Value;

use super::{date, line::Line};

/// The line inside.
pub(super) fn inner(text: &str) -> Cow<'_, str> {
    if text.starts_with('{') {
        return json(text).map_or(Cow::Borrowed(text), Cow::Owned);
    }
    Cow::Borrowed(without_service(text))
}

/// `postfix-1  | Nov 20 10:00:05 ...`, as `docker compose logs` has it.
fn without_service(text: &str) -> &str {
    const NAME_MAX: usize = 64;
    let Some((name, rest)) = text.split_once("| ").filter(|(name, _)| name.len() <= NAME_MAX)
    else {
        return text;
    };
    let service = name.trim_end_matches(' ');
    let is_of_name =
        |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.');
    let is_service =
        !service.is_empty() && service.len() < name.len() && service.bytes().all(is_of_name);
    if is_service { rest } else { text }
}

/// An entry of the journal (`journalctl -o json`), or a line of Docker's `json-file` driver.
fn json(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    let word = |key: &str| value.get(key).and_then(Value::as_str);
    if let Some(message) = value.get("MESSAGE") {
        let program = word("SYSLOG_IDENTIFIER").or_else(|| word("_COMM"))?;
        let process = word("SYSLOG_PID").or_else(|| word("_PID")).unwrap_or("0");
        let at: i64 = word("_SOURCE_REALTIME_TIMESTAMP")
            .or_else(|| word("__REALTIME_TIMESTAMP"))
            .and_then(|at| at.parse().ok())?;
        let host = word("_HOSTNAME").unwrap_or("-");
        let message = said(message)?;
        return Some(format!("{} {host} {program}[{process}]: {message}", date::unix(at)));
    }
    let line = word("log")?.trim_end();
    match word("time") {
        Some(time) if Line::read(line, 0, None).at.is_none() => Some(format!("{time} {line}")),
        _ => Some(line.to_owned()),
    }
}

/// The journal writes what is no UTF-8 as numbers.
fn said(message: &Value) -> Option<Cow<'_, str>> {
    if let Some(text) = message.as_str() {
        return Some(Cow::Borrowed(text));
    }
    let octets: Option<Vec<u8>> =
        message.as_array()?.iter().map(|one| u8::try_from(one.as_u64()?).ok()).collect();
    Some(Cow::Owned(String::from_utf8_lossy(&octets?).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inside() {
        for (text, expected) in [
            (
                "postfix-1  | Nov 20 10:00:05 a postfix/smtp[1]: x",
                "Nov 20 10:00:05 a postfix/smtp[1]: x",
            ),
            (
                "Nov 20 10:00:05 a postfix/smtp[1]: x | y",
                "Nov 20 10:00:05 a postfix/smtp[1]: x | y",
            ),
            (
                r#"{"__REALTIME_TIMESTAMP":"1795168801123456","_HOSTNAME":"mx1","SYSLOG_IDENTIFIER":"postfix/smtp","_PID":"12","MESSAGE":"A1: \"x\""}"#,
                "1795168801.123456 mx1 postfix/smtp[12]: A1: \"x\"",
            ),
            (
                r#"{"__REALTIME_TIMESTAMP":"1795168801000000","_HOSTNAME":"m","SYSLOG_IDENTIFIER":"exim","MESSAGE":[120,255]}"#,
                "1795168801.000000 m exim[0]: x\u{fffd}",
            ),
            (
                r#"{"log":"postfix/smtp[1]: x\n","stream":"stdout","time":"2026-11-20T10:00:05.1Z"}"#,
                "2026-11-20T10:00:05.1Z postfix/smtp[1]: x",
            ),
            (
                r#"{"log":"Nov 20 10:00:05 a postfix/smtp[1]: x\n","time":"2026-11-20T10:00:05.1Z"}"#,
                "2026-11-20T10:00:05.1Z Nov 20 10:00:05 a postfix/smtp[1]: x",
            ),
            ("{\"a\":1}", "{\"a\":1}"),
            ("{", "{"),
        ] {
            assert_eq!(inner(text), expected);
        }
    }
}
