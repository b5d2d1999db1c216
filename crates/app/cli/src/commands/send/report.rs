//! What became of a message that was sent by hand, for people and for programs.

use std::fmt::Write;

use serde::Serialize;
use smtp::{Attempt, Cause, Envelope, Outcome, Party, TlsFacts};
use transport::send::{Report, dialogue};

/// A line for each recipient; before them the dialogues, if they are wanted or if something went wrong.
pub fn text(envelope: &Envelope, report: &Report, with_dialogue: bool) -> String {
    let mut page = String::new();
    if with_dialogue {
        for attempt in &report.attempts {
            write_attempt(&mut page, attempt);
        }
    }
    for (recipient, outcome) in envelope.recipients.iter().zip(&report.outcomes) {
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(page, "{}: {}", recipient.forward_path, shown(outcome));
        if let Some(attempt) = deciding(report, recipient.forward_path.as_str())
            && let Some(address) = &attempt.address
        {
            let _ = writeln!(
                page,
                "    by {}{}",
                peer(&attempt.next_hop, address),
                encryption(attempt)
            );
        }
    }
    page
}

/// `mx1.b.test (192.0.2.1:25)`; an address alone where no name is known.
fn peer(next_hop: &str, address: &str) -> String {
    match next_hop.parse::<std::net::IpAddr>() {
        Ok(_) => address.to_owned(),
        Err(_) => format!("{next_hop} ({address})"),
    }
}

fn write_attempt(page: &mut String, attempt: &Attempt) {
    let _ = writeln!(page, "== {}", attempt.next_hop);
    for reason in &attempt.route {
        let _ = writeln!(page, "           -- {reason}");
    }
    page.push_str(&dialogue(&attempt.transcript));
    if let Some(tls) = &attempt.tls {
        for line in tls_lines(tls) {
            let _ = writeln!(page, "           -- {line}");
        }
    }
    page.push('\n');
}

fn tls_lines(tls: &TlsFacts) -> Vec<String> {
    let mut lines =
        tls.certificate.iter().map(|line| format!("certificate {line}")).collect::<Vec<_>>();
    lines.push(match &tls.verified {
        Ok(how) => format!("certificate verified {how}"),
        Err(why) => format!("certificate not verified: {why}"),
    });
    lines
}

fn encryption(attempt: &Attempt) -> String {
    match &attempt.tls {
        None => ", in clear".to_owned(),
        Some(tls) => {
            let verified = if tls.verified.is_ok() { "verified" } else { "not verified" };
            format!(", {} ({verified})", tls.version)
        }
    }
}

/// The attempt that the recipient's outcome is from.
fn deciding<'a>(report: &'a Report, path: &str) -> Option<&'a Attempt> {
    let concerns =
        |attempt: &&Attempt| attempt.outcomes.iter().any(|(own, _)| own.as_str() == path);
    report.attempts.iter().rev().find(concerns)
}

fn shown(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Relayed(reply) => format!("relayed: {reply}"),
        Outcome::Deferred(cause) => format!("not now ({}): {}", cause.stage, cause.trouble),
        Outcome::Failed(cause) => format!("refused ({}): {}", cause.stage, cause.trouble),
    }
}

/// The report, for programs.
#[derive(Serialize)]
pub struct Json {
    recipients: Vec<JsonRecipient>,
    attempts: Vec<JsonAttempt>,
}

#[derive(Serialize)]
struct JsonRecipient {
    recipient: String,
    outcome: &'static str,
    stage: Option<String>,
    status: Option<String>,
    text: String,
}

#[derive(Serialize)]
struct JsonAttempt {
    next_hop: String,
    address: Option<String>,
    route: Vec<String>,
    tls: Option<TlsFacts>,
    dialogue: Vec<JsonLine>,
}

#[derive(Serialize)]
struct JsonLine {
    milliseconds: u64,
    by: &'static str,
    text: String,
}

/// See [`Json`].
pub fn json(envelope: &Envelope, report: &Report) -> Json {
    let recipients = envelope.recipients.iter().zip(&report.outcomes);
    let recipients = recipients
        .map(|(recipient, outcome)| json_recipient(recipient.forward_path.to_string(), outcome));
    Json {
        recipients: recipients.collect(),
        attempts: report.attempts.iter().map(json_attempt).collect(),
    }
}

fn json_recipient(recipient: String, outcome: &Outcome) -> JsonRecipient {
    let of_cause = |outcome, cause: &Cause, permanent| JsonRecipient {
        recipient: recipient.clone(),
        outcome,
        stage: Some(cause.stage.to_string()),
        status: Some(cause.status(permanent).to_string()),
        text: cause.trouble.to_string(),
    };
    match outcome {
        Outcome::Deferred(cause) => of_cause("deferred", cause, false),
        Outcome::Failed(cause) => of_cause("failed", cause, true),
        Outcome::Relayed(reply) => JsonRecipient {
            recipient: recipient.clone(),
            outcome: "relayed",
            stage: None,
            status: reply.status.map(|status| status.to_string()),
            text: reply.to_string(),
        },
    }
}

fn json_attempt(attempt: &Attempt) -> JsonAttempt {
    let line = |line: smtp::transcript::Line<'_>| JsonLine {
        milliseconds: u64::try_from(line.at.as_millis()).unwrap_or(u64::MAX),
        by: match line.by {
            Party::Client => "client",
            Party::Server => "server",
            Party::Note => "note",
        },
        text: String::from_utf8_lossy(line.text).into_owned(),
    };
    JsonAttempt {
        next_hop: attempt.next_hop.clone(),
        address: attempt.address.clone(),
        route: attempt.route.clone(),
        tls: attempt.tls.clone(),
        dialogue: attempt.transcript.lines().map(line).collect(),
    }
}
