//! The patterns' test cases of postfix-grok-patterns: a line, and the fields in it.

use std::{collections::BTreeMap, fs, path::Path};

use diagnose::dialects::log::{Reader, Record};

use super::address;
use crate::figure::{Figure, Misses};
use crate::tree::files;

pub fn score(logs: &Path, misses: &mut Misses) -> Vec<Figure> {
    let (mut lines, mut understood, mut right, mut of) = (0, 0, 0, 0);
    let is_case = |path: &Path| path.extension().is_some_and(|extension| extension == "yaml");
    for file in files(logs, &is_case) {
        let case = read(&fs::read_to_string(&file).unwrap_or_default());
        let (Some(pattern), Some(data)) = (case.get("pattern"), case.get("data")) else { continue };
        // Patterns for parts of a line are no lines.
        let Some(daemon) = daemon(pattern) else { continue };
        let mut reader = Reader::new(None);
        reader.feed(format!("Jan  1 00:00:00 mail postfix/{daemon}[1]: {data}\n").as_bytes());
        reader.finish();
        lines += 1;
        if reader.understood() == 1 {
            understood += 1;
        } else {
            misses.note("logs grok line", file.display(), data, "not understood");
        }
        let Some(record) = reader.take() else { continue };
        for (name, value) in &case {
            let Some(have) = field(&record, name) else { continue };
            of += 1;
            if &have == value {
                right += 1;
            } else {
                misses.note("logs grok field", format!("{} {name}", file.display()), value, have);
            }
        }
    }
    vec![
        Figure {
            name: "postfix-grok-patterns: lines known",
            right: understood,
            of: lines,
            wanted: 0.8,
        },
        Figure { name: "postfix-grok-patterns: fields", right, of, wanted: 0.98 },
    ]
}

/// `^%{POSTFIX_SMTPD}$`.
fn daemon(pattern: &str) -> Option<String> {
    let name = pattern.strip_prefix("^%{POSTFIX_")?.strip_suffix("}$")?.to_ascii_lowercase();
    let daemons = [
        "smtpd",
        "smtp",
        "lmtp",
        "postscreen",
        "qmgr",
        "cleanup",
        "pickup",
        "pipe",
        "local",
        "virtual",
        "error",
        "bounce",
        "discard",
        "anvil",
        "dnsblog",
        "tlsproxy",
        "master",
        "postsuper",
        "scache",
    ];
    let name = if name == "postfix_lmtp" { "lmtp".to_owned() } else { name };
    daemons.contains(&name.as_str()).then_some(name)
}

/// What a field of the pattern is in the record; `None` for fields that ours does not keep apart.
fn field(record: &Record, name: &str) -> Option<String> {
    let is_client = !matches!(record, Record::Session(_));
    let (message, stage, reply, status, peer) = match record {
        Record::Session(_) => return None,
        Record::Testimony(it) => (&it.message, it.stage, &it.reply, it.status, &it.peer),
        Record::Happening(it) => {
            let status = it.reply.as_ref().and_then(|reply| reply.status);
            (&it.message, it.stage, &it.reply, status, &it.peer)
        }
    };
    let shown = match name {
        "postfix_queueid" => message.clone().unwrap_or_else(|| "NOQUEUE".to_owned()),
        "postfix_client_ip" | "postfix_relay_ip" if is_client => {
            address(record).unwrap_or_default()
        }
        "postfix_client_hostname" | "postfix_relay_hostname" => {
            peer.name.clone().unwrap_or_else(|| "unknown".to_owned())
        }
        "postfix_client_port" | "postfix_relay_port" => {
            peer.address.map_or(String::new(), |address| address.port().to_string())
        }
        "postfix_status_code" => reply.as_ref()?.code.to_string(),
        "postfix_status_code_enhanced" => status?.to_string(),
        "postfix_smtp_stage" => {
            return Some(match stage? {
                smtp::Stage::Connect | smtp::Stage::Greeting => "CONNECT".to_owned(),
                // The rest of the verbs share one step.
                smtp::Stage::Other => return None,
                smtp::Stage::EndOfData => return None,
                stage => stage.to_string().to_ascii_uppercase(),
            });
        }
        _ => return None,
    };
    Some(shown)
}

/// The little of YAML that the cases use: a mapping of plain and quoted values, one level deep.
fn read(text: &str) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let Some((name, value)) = line.trim().split_once(':') else { continue };
        let value = value.trim();
        let value = match (value.strip_prefix('"'), value.strip_prefix('\'')) {
            (Some(quoted), _) => {
                let inside = quoted.strip_suffix('"').unwrap_or(quoted);
                inside.replace("\\\"", "\"").replace("\\\\", "\\")
            }
            (_, Some(quoted)) => quoted.strip_suffix('\'').unwrap_or(quoted).to_owned(),
            _ => value.to_owned(),
        };
        fields.insert(name.trim().to_owned(), value);
    }
    fields
}
