//! The machine-readable part of a report (RFC 3464): fields about the message, then a group for each
//! recipient. Real ones lack blank lines, types, brackets, and sense.

use smtp::EnhancedStatus;

use crate::testimony::Fate;

/// A part, read.
#[derive(Clone, Debug, Default)]
pub(super) struct DeliveryStatus {
    /// `Reporting-MTA`, the name.
    pub reporting: Option<String>,
    /// `Original-Envelope-Id`, else a queue id that the writer names.
    pub message: Option<String>,
    /// One for each recipient.
    pub groups: Vec<Group>,
}

/// What a part says of one recipient.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    /// `Final-Recipient`, else `Original-Recipient`.
    pub recipient: Option<String>,
    /// `Original-Recipient`, where it differs.
    pub original: Option<String>,
    /// `Action`.
    pub fate: Option<Fate>,
    /// `Action: relayed` or `expanded`: delivered no further than that.
    pub status: Option<EnhancedStatus>,
    /// `Remote-MTA`, the name.
    pub remote: Option<String>,
    /// `Diagnostic-Code`: its type in lower case, and the words.
    pub diagnostic: Option<(String, String)>,
    /// `Last-Attempt-Date`, as it stands.
    pub at: Option<String>,
    /// Words in the parentheses behind `Status`.
    pub comment: Option<String>,
    /// The names of the fields so far.
    seen: Vec<String>,
}

impl DeliveryStatus {
    /// Reads one part, at most `recipients_max` groups of it.
    pub fn read(text: &str, recipients_max: usize) -> Self {
        let mut read = Self::default();
        let mut group = Group::default();
        let mut is_open = false;
        for (name, value) in fields(text) {
            // A blank line ends a group; where there is none, a field that comes again begins the next.
            let is_again = ["final-recipient", "original-recipient", "action"]
                .contains(&name.as_str())
                && group.seen.contains(&name);
            let is_new = if name.is_empty() { group.has_words() } else { is_again };
            if is_new && is_open && group.is_about_somebody() {
                read.groups.push(std::mem::take(&mut group));
                is_open = false;
                if read.groups.len() >= recipients_max {
                    return read;
                }
            }
            if !name.is_empty() && read.about_message(&name, &value) {
                continue;
            }
            is_open |= group.take(&name, &value);
            group.seen.push(name);
        }
        if group.is_about_somebody() {
            read.groups.push(group);
        }
        read
    }

    fn about_message(&mut self, name: &str, value: &str) -> bool {
        match name {
            "reporting-mta" => {
                self.reporting = self.reporting.take().or_else(|| host(value));
                true
            }
            "original-envelope-id" | "x-postfix-queue-id" | "x-queue-id" => {
                self.message = Some(value.to_owned()).filter(|id| !id.is_empty());
                true
            }
            _ => false,
        }
    }
}

impl Group {
    fn is_about_somebody(&self) -> bool {
        self.recipient.is_some() || self.original.is_some() || self.diagnostic.is_some()
    }

    /// The final recipient, or the original one where the final one is a name for insiders.
    pub fn named(&self) -> Option<String> {
        let is_public = |address: &&String| {
            address.rsplit_once('@').is_some_and(|(_, domain)| domain.contains('.'))
        };
        let public =
            self.recipient.as_ref().filter(is_public).or(self.original.as_ref().filter(is_public));
        public.or(self.recipient.as_ref()).or(self.original.as_ref()).cloned()
    }

    fn has_words(&self) -> bool {
        self.diagnostic.is_some() || self.status.is_some() || self.fate.is_some()
    }

    fn take(&mut self, name: &str, value: &str) -> bool {
        match name {
            "final-recipient" => self.recipient = address(value).or(self.recipient.take()),
            "original-recipient" | "x-actual-recipient" => {
                self.original = address(value).or(self.original.take());
            }
            "action" => self.fate = fate(value),
            "status" => {
                let word = value.split([' ', '\t', '(']).next().unwrap_or("").trim();
                self.status = word.parse().ok().or_else(|| loose_status(word));
                self.comment =
                    value.split_once('(').map(|(_, rest)| rest.trim_end_matches(')').to_owned());
            }
            "remote-mta" => self.remote = host(value),
            "diagnostic-code" | "x-supplementary-info" if self.diagnostic.is_none() => {
                self.diagnostic = Some(diagnostic(value)).filter(|(_, words)| !words.is_empty());
            }
            "last-attempt-date" => self.at = Some(value.to_owned()),
            _ => return false,
        }
        true
    }
}

/// Name in lower case and unfolded value; an empty name for a blank line.
fn fields(text: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        let is_name = |name: &str| {
            !name.is_empty()
                && name.len() < 40
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if line.trim().is_empty() {
            fields.push((String::new(), String::new()));
            continue;
        }
        let named = line.trim_end().split_once(':').filter(|(name, _)| is_name(name));
        match named {
            Some((name, value)) if known(name) || !line.starts_with([' ', '\t']) => {
                fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
            // A fold; Diagnostic-Code is also continued by lines that are not indented.
            _ => match fields.last_mut() {
                Some((name, value)) if !name.is_empty() && value.len() < 16 * 1024 => {
                    value.push(' ');
                    value.push_str(line.trim());
                }
                _ => {}
            },
        }
    }
    fields
}

fn known(name: &str) -> bool {
    const NAMES: [&str; 8] = [
        "final-recipient",
        "original-recipient",
        "action",
        "status",
        "diagnostic-code",
        "remote-mta",
        "reporting-mta",
        "last-attempt-date",
    ];
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// `dns; mx.example.org (192.0.2.1)` and its variants: the name, or the address where there is none.
pub(super) fn host(value: &str) -> Option<String> {
    let value = value.split_once(';').map_or(value, |(_, rest)| rest).trim();
    let named = value.split([' ', '\t', '(', ',', '|']).find(|word| !word.is_empty())?;
    let named = named.trim_matches(['<', '>', '[', ']', '"', '\'', '.']);
    let is_name = !named.is_empty() && named.len() <= 255 && !named.contains('@');
    is_name.then(|| named.to_owned())
}

/// `rfc822; <bob@b.test>` and its variants.
pub(super) fn address(value: &str) -> Option<String> {
    let value = value.split_once(';').map_or(value, |(_, rest)| rest).trim();
    super::text::first_address(value).or_else(|| {
        let bare = value.trim_matches(['<', '>', ' ']).to_owned();
        (!bare.is_empty() && !bare.contains(' ') && bare.len() <= 320).then_some(bare)
    })
}

fn fate(value: &str) -> Option<Fate> {
    let word = value.split([' ', '\t', '(', ';']).next()?.to_ascii_lowercase();
    match word.as_str() {
        "failed" | "failure" | "fail" | "expired" | "hard" => Some(Fate::Failed),
        "delayed" | "deferred" | "delay" => Some(Fate::Deferred),
        "delivered" | "relayed" | "expanded" | "deliverable" => Some(Fate::Delivered),
        _ => None,
    }
}

/// `smtp; 550 ...`. Some have no type, or say it twice.
fn diagnostic(value: &str) -> (String, String) {
    let (kind, words) = match value.split_once(';') {
        Some((kind, words)) if kind.len() <= 20 && !kind.trim().contains(' ') => (kind, words),
        _ => ("", value),
    };
    let words = words.trim();
    let words =
        words.strip_prefix("smtp;").or_else(|| words.strip_prefix("SMTP;")).unwrap_or(words);
    (kind.trim().to_ascii_lowercase(), words.trim().to_owned())
}

/// `5.7.0001`, `5.1.1.` and the like.
fn loose_status(word: &str) -> Option<EnhancedStatus> {
    let mut numbers =
        word.trim_end_matches('.').splitn(3, '.').map(|part| part.parse::<u16>().ok());
    match (numbers.next()??, numbers.next()??, numbers.next()??) {
        (class @ (2 | 4 | 5), subject @ 0..=999, detail @ 0..=999) => {
            Some(EnhancedStatus::new(u8::try_from(class).unwrap_or(5), subject, detail))
        }
        _ => None,
    }
}
