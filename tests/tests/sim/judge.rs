//! Whether what happened is what was promised.
//!
//! Addresses are used for one message only, so each tells what it belongs to: `s7@` is the reverse-path
//! of message 7, `t7r2@` its recipient number 2.

use std::{collections::BTreeMap, path::Path};

use world::{
    Disk,
    disk::{Open, read_exact_at},
    sim::disk::SimDisk,
};

use super::{
    conversion,
    ledger::{Body, Copy, Inner, Mail},
};

/// A domain of ours whose mailboxes another program has.
const OUR_LMTP: &str = "lmtp.test";

/// What was found, as numbers and as broken promises.
#[derive(Debug, Default)]
pub struct Judgement {
    pub acknowledged: usize,
    pub delivered: usize,
    pub reported: usize,
    pub double_bounces: usize,
    pub duplicates: usize,
    pub crashes: usize,
    pub logins: usize,
    pub scram: usize,
    pub kept_out: usize,
    pub international: usize,
    pub sealed: usize,
    pub converted: usize,
    pub broken: Vec<String>,
}

/// Everything in the Maildirs of a disk. `epoch` is when the world began.
pub fn mailboxes(disk: &SimDisk, host: &str, epoch: u64) -> Vec<Copy> {
    let mut copies = Vec::new();
    let list = |path: &Path| disk.list(path).unwrap_or_default();
    let top = Path::new("/data/mail");
    for domain in list(top) {
        for user in list(&top.join(&domain)) {
            let new = top.join(&domain).join(&user).join("new");
            for name in list(&new) {
                let name = name.display().to_string();
                let seconds: u64 = name.split('.').next().and_then(|s| s.parse().ok()).unwrap_or(0);
                let millis: u64 = name
                    .split_once(".M")
                    .and_then(|(_, rest)| rest.get(..3)?.parse().ok())
                    .unwrap_or(0);
                let content = read(disk, &new.join(&name));
                copies.push(Copy {
                    at: (seconds * 1000 + millis).saturating_sub(epoch),
                    place: host.to_owned(),
                    reverse_path: field(&content, "Return-Path: <")
                        .trim_end_matches('>')
                        .to_owned(),
                    recipient: field(&content, "Delivered-To: "),
                    content,
                });
            }
        }
    }
    copies
}

fn read(disk: &SimDisk, path: &Path) -> Vec<u8> {
    let file = disk.open(path, Open::Read).expect("listed a moment ago");
    let mut content = vec![0; file.len().expect("open") as usize];
    read_exact_at(&*file, 0, &mut content).expect("as long as it says");
    content
}

/// The rest of the first line that begins so.
fn field(content: &[u8], name: &str) -> String {
    let text = String::from_utf8_lossy(content);
    text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned()
}

/// The number in `s7@...` or `t7r2@...`.
pub fn number(address: &str) -> Option<u32> {
    let digits = address.get(1..)?;
    let end = digits.find(|c: char| !c.is_ascii_digit())?;
    digits[..end].parse().ok()
}

/// Reports of failure for each recipient, from everything that was delivered to reverse-paths.
fn reports<'c>(copies: &'c [Copy], broken: &mut Vec<String>) -> BTreeMap<String, Vec<&'c Copy>> {
    let mut reports: BTreeMap<String, Vec<&Copy>> = BTreeMap::new();
    for copy in copies.iter().filter(|copy| copy.recipient.starts_with('s')) {
        if !copy.reverse_path.is_empty() {
            broken.push(format!(
                "a report to {} has the reverse-path {}",
                copy.recipient, copy.reverse_path
            ));
        }
        // Long fields are folded.
        let text = String::from_utf8_lossy(&copy.content).replace("\r\n ", " ");
        let mut about = String::new();
        for line in text.lines() {
            if let Some(address) = line.strip_prefix("Final-Recipient: rfc822;") {
                address.trim().clone_into(&mut about);
            } else if let Some(address) = line.strip_prefix("Final-Recipient: utf-8;") {
                about = unescaped(address.trim());
            }
            let is_strange = number(&about) != number(&copy.recipient) || !about.starts_with('t');
            if line.starts_with("Final-Recipient: ") && is_strange {
                broken.push(format!("{} was told about {about}", copy.recipient));
            }
            if line == "Action: failed" {
                reports.entry(about.clone()).or_default().push(copy);
            }
        }
    }
    reports
}

/// An address of type utf-8 (RFC 6533 section 3), in which characters may be escaped as `\x{FC}`.
fn unescaped(address: &str) -> String {
    let mut parts = address.split("\\x{");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_once('}').unwrap_or((part, ""));
        plain.extend(u32::from_str_radix(digits, 16).ok().and_then(char::from_u32));
        plain.push_str(rest);
    }
    plain
}

/// Judges a world that has come to rest.
pub fn judge(inner: &Inner, copies: &[Copy]) -> Judgement {
    let mut judgement = Judgement {
        acknowledged: inner.acknowledged.len(),
        double_bounces: inner.double_bounces.len(),
        crashes: inner.crashes.len(),
        logins: inner.logins,
        scram: inner.scram,
        kept_out: inner.kept_out,
        sealed: inner.sealed,
        ..Judgement::default()
    };
    let mut broken = Vec::new();
    let reports = reports(copies, &mut broken);
    let mut arrived: BTreeMap<&str, Vec<&Copy>> = BTreeMap::new();
    for copy in copies.iter().filter(|copy| !copy.recipient.starts_with('s')) {
        arrived.entry(&copy.recipient).or_default().push(copy);
    }
    for (&number, mail) in &inner.acknowledged {
        boxed(mail, inner, &reports, &arrived, &mut broken);
        timely(number, mail, inner, &arrived, &mut broken);
        for recipient in &mail.recipients {
            let there = arrived.get(recipient.as_str()).map_or(&[][..], Vec::as_slice);
            let told = reports.get(recipient).map_or(0, Vec::len);
            judgement.delivered += usize::from(!there.is_empty());
            judgement.international += usize::from(!there.is_empty() && !recipient.is_ascii());
            judgement.reported += usize::from(told > 0);
            if told > 0 && mail.reverse_path.is_empty() {
                broken.push(format!(
                    "message {number}: a report about {recipient} in spite of a null reverse-path"
                ));
            }
            let documented = |path: &str| {
                inner.double_bounces.iter().any(|known| known.eq_ignore_ascii_case(path))
            };
            let ended = if mail.reverse_path.is_empty() {
                documented(recipient)
            } else {
                documented(&mail.reverse_path)
            };
            if there.is_empty() && told == 0 && !ended && !inner.removed.contains(recipient) {
                broken.push(format!(
                    "message {number} was acknowledged, and nothing came of it for {recipient}"
                ));
            }
            compare(number, mail, there, &mut broken);
            let is_converted = |copy: &&&Copy| !copy.content.ends_with(&mail.content);
            judgement.converted += there.iter().filter(is_converted).count();
        }
    }
    for (recipient, there) in &arrived {
        let sent = number(recipient).and_then(|number| inner.ended.get(&number));
        let Some(&sent) = sent.filter(|_| !inner.refused.contains(*recipient)) else {
            broken.push(format!("{recipient} got mail that nobody could send: {}", there[0].place));
            continue;
        };
        // Strangers' mail is for our own domains: nobody outside sees any of it.
        let is_strange = number(recipient).is_some_and(|number| inner.strangers.contains(&number));
        let outside = there.iter().find(|copy| {
            !["alpha", "beta", "gamma", "delta", OUR_LMTP].contains(&copy.place.as_str())
        });
        if let Some(copy) = outside.filter(|_| is_strange && !inner.rerouted.contains(*recipient)) {
            broken.push(format!("{recipient} got a stranger's mail, relayed to {}", copy.place));
        }
        // A sync that failed may have written all the same, and a crash right after it hides that it did.
        let away = number(recipient).and_then(|number| inner.turned_away.get(&number));
        let crashed =
            |at: u64| inner.crashes.iter().any(|&(crash, _)| at <= crash && crash <= there[0].at);
        if away.is_some_and(|&at| !crashed(at)) {
            broken.push(format!("{recipient} got mail that its client was told to keep"));
        }
        for two in there.windows(2) {
            judgement.duplicates += 1;
            if !is_excused(inner, recipient, sent, two[1].at) {
                broken.push(format!(
                    "{recipient} got it twice, at {} and {} ms, with no crash or lost reply in between",
                    two[0].at, two[1].at
                ));
            }
        }
    }
    // Resets teach the same now and then, so not each; but what was learned does not stay for ever.
    if inner.unboxed[0] > 20 && inner.unboxed[1] == 0 {
        broken
            .push("boxed.test offers CHUNKING, works, and is not trusted with it again".to_owned());
    }
    broken.extend(inner.broken.iter().cloned());
    judgement.broken = broken;
    judgement
}

/// A box in the way is no reason to give mail up (but an operator's mood, or a time that is over, is).
fn boxed(
    mail: &Mail,
    inner: &Inner,
    reports: &BTreeMap<String, Vec<&Copy>>,
    arrived: &BTreeMap<&str, Vec<&Copy>>,
    broken: &mut Vec<String>,
) {
    let has_own_reasons =
        mail.by.is_some() || !mail.wishes.is_empty() || !mail.wishes_of_each.is_empty();
    for recipient in mail.recipients.iter().filter(|to| to.ends_with("@boxed.test")) {
        // An odd client asks for it on its own, and the box's peer can't be verified (RFC 8689 section 4.2.1).
        if number(recipient).is_some_and(|number| inner.require_tls.contains(&number)) {
            continue;
        }
        let report = reports.get(recipient).and_then(|copies| copies.first());
        let report = report.filter(|_| !arrived.contains_key(recipient.as_str()));
        if let Some(report) = report
            && !has_own_reasons
            && !inner.bounced.contains(recipient)
        {
            let words = String::from_utf8_lossy(&report.content);
            let why = words.lines().find(|line| line.starts_with("Diagnostic-Code:"));
            broken.push(format!(
                "{recipient} was given up at {} ms, and only a box was in the way: {}",
                report.at,
                why.unwrap_or("the report has no diagnostic code")
            ));
        }
    }
}

/// What it was promised about time: held back until then (RFC 4865), never delivered long after then
/// (RFC 2852; an attempt that began in time may take its time, and there may be three of them in a row).
fn timely(
    number: u32,
    mail: &Mail,
    inner: &Inner,
    arrived: &BTreeMap<&str, Vec<&Copy>>,
    broken: &mut Vec<String>,
) {
    const ATTEMPTS: u64 = 3 * 3_600_000;
    let Some(&sent) = inner.ended.get(&number) else { return };
    let released = sent + mail.hold.unwrap_or(0) * 1_000;
    let late = mail.by.map_or(u64::MAX, |seconds| released + seconds * 1_000 + ATTEMPTS);
    for recipient in &mail.recipients {
        for copy in arrived.get(recipient.as_str()).into_iter().flatten() {
            if copy.at < released && !inner.rushed.contains(recipient) {
                broken
                    .push(format!("{recipient} got at {} what is held until {released}", copy.at));
            }
            if copy.at > late {
                broken.push(format!(
                    "{recipient} got at {} what was to be returned by {late}",
                    copy.at
                ));
            }
        }
    }
}

/// A crash, or a reply that was lost, lies somewhere on its way between `sent` and the second copy; not
/// always between the two copies, for a relay further on may have held the first one up.
fn is_excused(inner: &Inner, recipient: &str, sent: u64, second: u64) -> bool {
    let between = |at: u64| sent <= at && at <= second;
    inner.crashes.iter().any(|&(at, _)| between(at))
        || inner.unheard.iter().any(|(at, to)| to == recipient && between(*at))
}

/// Below the trace fields it is what the client sent, octet for octet; or, where there were octets beyond
/// ASCII in it, what may be made of it for a next hop that can't take them.
fn compare(number: u32, mail: &Mail, there: &[&Copy], broken: &mut Vec<String>) {
    for copy in there {
        let converted = || match mail.body {
            Body::Seven => None,
            Body::Eight | Body::Binary => conversion::trace(&copy.content, &mail.content),
        };
        let Some(trace) = copy.content.strip_suffix(mail.content.as_slice()).or_else(converted)
        else {
            broken.push(format!("message {number} was changed on its way to {}", copy.recipient));
            continue;
        };
        let trace = String::from_utf8_lossy(trace);
        // RFC 6409 section 8 lets a submission server add the last two.
        let starts =
            ["Received: ", "Return-Path: ", "Delivered-To: ", "\t", " ", "Date: ", "Message-ID: "];
        let is_trace = |line: &str| starts.iter().any(|start| line.starts_with(start));
        if !trace.lines().all(is_trace) || !trace.ends_with("\r\n") {
            broken.push(format!(
                "message {number} has more than trace fields on top at {}",
                copy.recipient
            ));
        }
        if copy.reverse_path != mail.reverse_path {
            broken.push(format!(
                "message {number} came from {} as {}",
                mail.reverse_path, copy.reverse_path
            ));
        }
    }
}
