//! Final delivery on this machine, recipient by recipient: mailboxes and programs.

use std::path::PathBuf;

use smtp::{Attempt, Cause, EnhancedStatus, Outcome, Recipient, Stage, Trouble};
use transport::pipe;
use world::process::Program;

use super::Way;
use crate::{
    carried::Carried,
    config::{Compiled, Disposition, Pipe},
    context::Context,
    kept::Kept,
};

/// Into Maildirs.
pub async fn into_mailboxes(
    context: &Context,
    way: &Way,
    carried: &Carried,
    content: &Kept,
) -> Attempt {
    let config = context.config();
    let mut attempt = way.blank();
    for recipient in &carried.envelope.recipients {
        let outcome = match mailbox(&config, recipient) {
            Ok(directory) => {
                let delivery = transport::maildir::Delivery {
                    reverse_path: &carried.envelope.reverse_path,
                    recipient,
                    host: &config.config.hostname,
                    content,
                };
                transport::maildir::deliver(&context.world, &directory, &delivery).await
            }
            Err(cause) => Outcome::Failed(cause),
        };
        attempt.outcomes.push((recipient.forward_path.clone(), outcome));
    }
    attempt
}

fn mailbox(config: &Compiled, recipient: &Recipient) -> Result<PathBuf, Cause> {
    let address = &recipient.forward_path;
    let no = |status: (u8, u16, u16), text: String| {
        let status = EnhancedStatus::new(status.0, status.1, status.2);
        Cause { stage: Stage::Mailbox, trouble: Trouble::Local(status, text) }
    };
    if !config.is_its_owner(recipient) {
        // Its header section said so, when other recipients had been accepted as well (RFC 7293 section 5.2).
        return Err(no((5, 7, 17), format!("`{address}` has another owner since then (RRVS)")));
    }
    let known = matches!(config.resolved(address), Disposition::Local(_));
    let directory = known.then(|| config.maildir(address)).flatten();
    directory.ok_or_else(|| no((5, 1, 1), format!("no mailbox `{address}` here")))
}

/// Into a program, once for each recipient.
pub async fn into_program(
    context: &Context,
    way: &Way,
    pipe: &Pipe,
    id: spool::JobId,
    carried: &Carried,
    content: &Kept,
) -> Attempt {
    let mut attempt = way.blank();
    attempt.next_hop = pipe.command.first().cloned().unwrap_or_default();
    for recipient in &carried.envelope.recipients {
        let delivery = pipe::Delivery {
            reverse_path: &carried.envelope.reverse_path,
            recipient,
            content,
            unix_lines: pipe.unix_lines,
            trace_fields: pipe.trace_fields,
        };
        let size = transport::Content::len(content);
        let outcome = match program(pipe, id, carried, recipient, size) {
            Ok(program) => {
                let (outcome, said) = pipe::deliver(&context.world, &program, &delivery).await;
                attempt.transcript.extend(&said);
                outcome
            }
            Err(cause) => Outcome::Failed(cause),
        };
        attempt.outcomes.push((recipient.forward_path.clone(), outcome));
    }
    attempt
}

/// The program with its placeholders filled in. What is filled in is an argument, or a part of one: it
/// never becomes two, whatever it holds, nor an option where the configuration has none.
fn program(
    pipe: &Pipe,
    id: spool::JobId,
    carried: &Carried,
    recipient: &Recipient,
    size: u64,
) -> Result<Program, Cause> {
    const OUTPUT_MAX: usize = 8 * 1024;
    const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
    let address = &recipient.forward_path;
    let whole = address.local_part_unquoted().into_owned();
    let (user, detail) = whole.split_once('+').unwrap_or((&whole, ""));
    let sender = carried.envelope.reverse_path.as_ref().map_or("", |path| path.as_str());
    let (id, size) = (id.message.to_string(), size.to_string());
    let values = [
        ("{recipient}", address.as_str()),
        ("{user}", user),
        ("{detail}", detail),
        ("{domain}", address.domain()),
        ("{sender}", sender),
        ("{id}", &id),
        ("{size}", &size),
    ];
    let fill = |text: &String| fill(text, &values);
    let environment = pipe.environment.iter().map(|(name, value)| (name.clone(), fill(value)));
    let mut program = Program {
        path: pipe.command.first().map(PathBuf::from).unwrap_or_default(),
        arguments: pipe.command.iter().skip(1).map(fill).collect(),
        environment: environment.collect(),
        directory: pipe.directory.clone().unwrap_or_else(|| "/".into()),
        user: pipe.user.clone(),
        timeout: pipe.timeout,
        output_max: OUTPUT_MAX,
    };
    program.environment.entry("PATH".to_owned()).or_insert_with(|| PATH.to_owned());
    let configured = pipe.command.iter().skip(1);
    let option = configured
        .zip(&program.arguments)
        .find(|(configured, filled)| filled.starts_with('-') && !configured.starts_with('-'));
    match option {
        None => Ok(program),
        Some((_, filled)) => {
            let text = format!("`{filled}` would be an option to {}", program.path.display());
            let trouble = Trouble::Local(EnhancedStatus::new(5, 1, 3), text);
            Err(Cause { stage: Stage::Mailbox, trouble })
        }
    }
}

/// One pass: what a value brings along is never taken for a placeholder.
fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        filled.push_str(&rest[..at]);
        rest = &rest[at..];
        match values.iter().find(|(name, _)| rest.starts_with(name)) {
            Some((name, value)) => {
                filled.push_str(value);
                rest = &rest[name.len()..];
            }
            None => {
                filled.push('{');
                rest = &rest[1..];
            }
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn placeholders() {
        let values = [("{user}", "a {domain}; rm"), ("{domain}", "b.test")];
        for (text, expected) in [
            ("-d{user}@{domain}", "-da {domain}; rm@b.test"),
            ("{unknown} {", "{unknown} {"),
            ("{{user}}", "{a {domain}; rm}"),
            ("", ""),
        ] {
            assert_eq!(fill(text, &values), expected);
        }
    }
}
