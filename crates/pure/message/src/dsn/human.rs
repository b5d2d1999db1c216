//! The first part of a DSN: plain words for whoever sent the message.
//!
//! In this order, for each group of recipients with the same fate: what happened, who said so and at
//! which step, in which words; the end of the dialogue; what it means; what to do; whether it is tried
//! again. Nobody is blamed beyond the evidence, and nothing is said twice.

mod dialogue;

use smtp::{Cause, Outcome, Reply, Stage, Trouble, client::Features};

use super::{Action, Explanation, Fate, Report, field, returned::Returned, status};
use crate::{date, quoted_printable, wrap};

const WIDTH: usize = 70;

/// Appends the part with its header section.
pub(super) fn write(report: &Report<'_>, returned: &Returned, out: &mut Vec<u8>) {
    let text = text(report, returned).replace('\n', "\r\n");
    let is_plain = text.is_ascii() && text.lines().all(|line| line.len() <= 998);
    field(out, "Content-Description", "What happened, in plain words");
    let (charset, encoding) =
        if is_plain { ("us-ascii", "7bit") } else { ("utf-8", "quoted-printable") };
    field(out, "Content-Type", &format!("text/plain; charset={charset}"));
    field(out, "Content-Transfer-Encoding", encoding);
    out.extend_from_slice(b"\r\n");
    if is_plain {
        out.extend_from_slice(text.as_bytes());
    } else {
        quoted_printable::write(out, text.as_bytes());
    }
}

fn text(report: &Report<'_>, returned: &Returned) -> String {
    let mut out = String::with_capacity(2048);
    wrap::paragraph(&mut out, &format!("This is the mail server {}.", report.host), "", WIDTH);
    if report.envelope.reverse_path.is_none() {
        // Then the caller tells somebody else: the postmaster.
        let text = "The message below has a null reverse-path, as reports have: there is no originator \
                    to tell. So it comes to you.";
        wrap::paragraph(&mut out, text, "", WIDTH);
    }
    let groups = group(report.fates);
    for (index, fates) in groups.iter().enumerate() {
        out.push('\n');
        if groups.len() > 1 {
            out.push_str(&format!("({} of {})\n", index + 1, groups.len()));
        }
        write_group(report, returned, fates, &mut out);
    }
    write_footer(report, returned, &mut out);
    out
}

/// Recipients of whom the same can be said, the worst news first, else in the order given.
fn group<'r, 'a>(fates: &'r [Fate<'a>]) -> Vec<Vec<&'r Fate<'a>>> {
    let words = |fate: &Fate<'_>| fate.explanation.map(|e| (e.meaning.clone(), e.remedy.clone()));
    let next_hop = |fate: &Fate<'_>| fate.attempt.map(|attempt| attempt.next_hop.clone());
    let same = |a: &Fate<'_>, b: &Fate<'_>| {
        (a.action, a.status, a.retry_until, a.attempted)
            == (b.action, b.status, b.retry_until, b.attempted)
            && a.outcome() == b.outcome()
            && next_hop(a) == next_hop(b)
            && words(a) == words(b)
    };
    let mut groups: Vec<Vec<&Fate<'_>>> = Vec::new();
    for fate in fates {
        match groups.iter_mut().find(|group| same(group[0], fate)) {
            Some(group) => group.push(fate),
            None => groups.push(vec![fate]),
        }
    }
    groups.sort_by_key(|group| group[0].action);
    groups
}

fn write_group(report: &Report<'_>, returned: &Returned, fates: &[&Fate<'_>], out: &mut String) {
    let fate = fates[0];
    let what = match fate.action {
        Action::Failed => "could not be delivered to",
        Action::Delayed => "has not been delivered yet to",
        Action::Relayed => "has been passed on for",
        Action::Delivered => "has been delivered to",
    };
    wrap::paragraph(out, &format!("{} {what}", message_name(report, returned)), "", WIDTH);
    out.push('\n');
    for fate in fates {
        let path = &fate.recipient.forward_path;
        out.push_str(&format!("    {}\n", one_line(path.as_str())));
    }
    match fate.action {
        Action::Failed | Action::Delayed => write_trouble(report, fate, out),
        Action::Relayed => write_relayed(report, fate, out),
        Action::Delivered => {}
    }
}

fn message_name(report: &Report<'_>, returned: &Returned) -> String {
    let is_readers_own = report.envelope.reverse_path.is_some();
    let mut name = if is_readers_own { "Your message" } else { "The message" }.to_owned();
    if let Some(subject) = &returned.subject {
        let short: String = subject.chars().take(120).collect();
        let dots = if short.len() < subject.len() { "..." } else { "" };
        name.push_str(&format!(" \"{short}{dots}\""));
    }
    if let Some(date) = &returned.date {
        let short: String = date.chars().take(40).collect();
        name.push_str(&format!(" of {short}"));
    }
    name
}

fn heading(out: &mut String, text: &str) {
    out.push_str(&format!("\n{text}\n\n"));
}

fn write_trouble(report: &Report<'_>, fate: &Fate<'_>, out: &mut String) {
    heading(out, "WHAT HAPPENED");
    write_what(report, fate, out);
    dialogue::write(report.host, fate, out);
    if let Some(Explanation { meaning, remedy, .. }) = fate.explanation {
        for (title, text) in [("WHAT IT MEANS", meaning), ("WHAT YOU CAN DO", remedy)] {
            if !text.trim().is_empty() {
                heading(out, title);
                wrap::paragraph(out, text, "", WIDTH);
            }
        }
    }
    heading(out, "WILL IT BE TRIED AGAIN?");
    wrap::paragraph(out, &again(report, fate), "", WIDTH);
}

fn write_what(report: &Report<'_>, fate: &Fate<'_>, out: &mut String) {
    let Some(cause) = fate.cause() else {
        let text = match fate.action {
            Action::Failed => "It could not be sent on in the time that is given to a message.",
            _ => "It could not be sent on so far.",
        };
        return wrap::paragraph(out, text, "", WIDTH);
    };
    wrap::paragraph(out, &what(fate, cause), "", WIDTH);
    if let Trouble::Reply(reply) = &cause.trouble {
        out.push('\n');
        write_words(reply, out);
        out.push('\n');
        let peer = fate.attempt.map_or("that server", |attempt| attempt.next_hop.as_str());
        let whose = format!("These are the words of {peer}; {} only reports them.", report.host);
        wrap::paragraph(out, &one_line(&whose), "", WIDTH);
    }
}

/// The reply word for word, as it came over the wire but for long lines.
fn write_words(reply: &Reply, out: &mut String) {
    let mut lines = reply.lines().peekable();
    while let Some(line) = lines.next() {
        let mark = if lines.peek().is_some() { '-' } else { ' ' };
        let status = reply.status.map_or(String::new(), |status| format!("{status} "));
        wrap::paragraph(out, &format!("{}{mark}{status}{line}", reply.code), "    ", WIDTH + 4);
    }
}

fn what(fate: &Fate<'_>, cause: &Cause) -> String {
    let peer = fate.attempt.map_or_else(
        || "the next server".to_owned(),
        |attempt| match &attempt.address {
            Some(address) if !attempt.next_hop.contains(address.as_str()) => {
                format!("the server {} ({address})", attempt.next_hop)
            }
            _ => format!("the server {}", attempt.next_hop),
        },
    );
    let step = step(cause.stage);
    let domain = fate.recipient.forward_path.domain();
    let text = match &cause.trouble {
        Trouble::Reply(_) if cause.stage == Stage::Greeting => {
            format!("{peer} turned us away in its greeting. It said:")
        }
        Trouble::Reply(reply) if reply.is_transient() => {
            format!("{peer} did not take it for now {step}. It said:")
        }
        Trouble::Reply(_) => format!("{peer} refused it {step}. It said:"),
        Trouble::Silence(wait) => {
            format!(
                "{peer} went silent {step}: we waited {} for its answer.",
                seconds(wait.as_secs())
            )
        }
        Trouble::Closed => format!("{peer} closed the connection without an answer {step}."),
        Trouble::Network(text) if cause.stage == Stage::Connect => {
            format!("no connection to {peer} could be made: {}.", plain(text))
        }
        Trouble::Network(text) => {
            format!("the connection to {peer} broke {step}: {}.", plain(text))
        }
        Trouble::Malformed(text) => {
            format!(
                "{peer} answered something that is not the language of mail servers, {step}: \
                 {text}."
            )
        }
        Trouble::Tls(text) => {
            format!("no encrypted connection to {peer} could be agreed on: {text}.")
        }
        Trouble::Dns(_, text) => {
            format!(
                "the name service was asked where mail for {domain} goes, and that failed: {text}."
            )
        }
        Trouble::Local(_, text) => format!("this server could not do it: {text}."),
    };
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

/// The operating system's words without its number for them, which helps nobody here.
fn plain(text: &str) -> &str {
    text.split_once(" (os error").map_or(text, |(words, _)| words).trim_end_matches('.')
}

/// A step of a session in words for somebody who never saw one.
fn step(stage: Stage) -> &'static str {
    match stage {
        Stage::Routing => "when we looked up where to send it",
        Stage::Connect => "when we connected",
        Stage::Greeting => "when we waited for its greeting",
        Stage::Ehlo => "when we gave our name (EHLO)",
        Stage::StartTls => "when we asked for encryption (STARTTLS)",
        Stage::Tls => "while encryption was agreed on (TLS)",
        Stage::Auth => "when we logged in (AUTH)",
        Stage::Mail => "when we named the originator (MAIL)",
        Stage::Rcpt => "when we named the recipient (RCPT)",
        Stage::Data => "before the message itself was sent (DATA)",
        Stage::Content => "while the message itself was being sent",
        Stage::EndOfData => "after the whole message was sent",
        Stage::Mailbox => "when it was written into the mailbox",
        Stage::Other => "between two messages",
    }
}

fn again(report: &Report<'_>, fate: &Fate<'_>) -> String {
    if fate.action == Action::Delayed {
        return match fate.retry_until {
            Some(until) => format!(
                "Yes, by itself, until {}. Nothing is lost, and you need not send it again; if it still \
                 cannot be delivered then, you will hear of it.",
                date::text(until, report.offset)
            ),
            None => "Yes, by itself. Nothing is lost, and you need not send it again.".to_owned(),
        };
    }
    let when =
        fate.attempted.map_or(String::new(), |at| format!(" at {}", date::text(at, report.offset)));
    match (fate.is_expired(), fate.attempts) {
        (true, 0 | 1) => format!("No. The time for it is over; the last attempt was{when}."),
        (true, count) => {
            format!("No. It was tried {count} times since it came; the last attempt was{when}.")
        }
        (false, _)
            if matches!(fate.cause().map(|cause| &cause.trouble), Some(Trouble::Reply(_))) =>
        {
            "No. This answer is final, and no copy is kept here.".to_owned()
        }
        (false, _) => "No, and no copy is kept here.".to_owned(),
    }
}

fn write_relayed(report: &Report<'_>, fate: &Fate<'_>, out: &mut String) {
    let Some(peer) = status::remote(fate) else { return };
    let watched = report.envelope.deliver_by.is_none() || fate.passed_on.has(Features::DELIVERBY);
    let then = match (fate.passed_on.has(Features::DSN), watched) {
        (true, true) => "What becomes of it there is for that server to report.",
        (true, false) => {
            "It does not watch the time that was set for it (BY), and won't say when that is over."
        }
        (false, _) => {
            "It sends no reports of its own about what becomes of it, so this is the last that we can \
             tell you."
        }
    };
    out.push('\n');
    wrap::paragraph(out, &format!("The server {peer} took it over. {then} It said:"), "", WIDTH);
    if let Some(Outcome::Relayed(reply)) = fate.outcome() {
        out.push('\n');
        write_words(reply, out);
    }
}

fn write_footer(report: &Report<'_>, returned: &Returned, out: &mut String) {
    heading(out, "IF YOU ASK FOR HELP");
    wrap::paragraph(out, "Show this whole report. Who helps you will want to know:", "", WIDTH);
    out.push('\n');
    out.push_str(&format!("    Queue id     {} on {}\n", report.queue_id, report.host));
    out.push_str(&format!("    Arrived      {}\n", date::text(report.arrived, report.offset)));
    if let Some(id) = &returned.message_id {
        out.push_str(&format!("    Message-ID   {id}\n"));
    }
}

fn seconds(count: u64) -> String {
    match count {
        1 => "1 second".to_owned(),
        0..120 => format!("{count} seconds"),
        _ if count.is_multiple_of(60) => format!("{} minutes", count / 60),
        _ => format!("{} minutes {} seconds", count / 60, count % 60),
    }
}

fn one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), "?")
}
