//! Putting it together: the machine-readable part where there is one, the readable text for what that
//! leaves out, and both corrected by what the vendor is known for.

use smtp::Stage;

use super::{
    Ndr, Original, RECIPIENTS_MAX, UNKNOWN_DIALECT,
    blocks::{self, Block},
    delivery_status::{self, DeliveryStatus, Group},
    kind,
    parts::Parts,
    text, told, transcript,
    vendors::{self, Vendor},
};
use crate::{
    session::Place,
    testimony::{Fate, Speaker, Testimony},
};

/// Reads a report. Whatever the octets are, there is an answer; of what is no report the kind says so.
pub fn read(octets: &[u8]) -> Ndr {
    let parts = Parts::read(octets);
    let statuses: Vec<DeliveryStatus> =
        parts.status.iter().map(|part| DeliveryStatus::read(part, RECIPIENTS_MAX)).collect();
    let reporting = statuses.iter().find_map(|status| status.reporting.clone());
    let vendor = vendors::of(&parts, reporting.as_deref());
    let writer = reporting.or_else(|| writer(&parts));
    let context = Context { parts: &parts, vendor, writer };
    let mut reports = context.reports(&statuses);
    reports.truncate(RECIPIENTS_MAX);
    let kind = kind::of(&parts, &reports);
    let dialect = match vendor {
        Some(vendor) => vendor.name,
        None if !parts.status.is_empty() => UNKNOWN_DIALECT,
        None => "plain",
    };
    let writer = reports.iter().find_map(|report| report.writer.clone()).or(context.writer);
    Ndr { dialect: dialect.to_owned(), kind, writer, reports, original: original(&parts) }
}

/// Reads words that stand alone: what a log line or a report says in parentheses, with whatever mailer's
/// phrases around the reply.
pub fn read_words(words: &str) -> Testimony {
    let parts = Parts { text: words.to_owned(), ..Parts::default() };
    let context = Context { parts: &parts, vendor: vendors::of(&parts, None), writer: None };
    let mut testimony = Testimony {
        speaker: told::speaker(words, None),
        recipient: text::addresses(words).take(8).find(|address| !is_for_questions(words, address)),
        status: text::status(words),
        reply: told::reply(words, true),
        words: text::joined(words, blocks::WORDS_MAX),
        ..Testimony::default()
    };
    let digit = testimony.reply.as_ref().map(|reply| reply.code / 100);
    testimony.fate = match digit {
        Some(2) => Fate::Delivered,
        Some(4) => Fate::Deferred,
        _ => context.fate(words),
    };
    context.finish(&mut testimony, &[words], words);
    testimony
}

struct Context<'a> {
    parts: &'a Parts,
    vendor: Option<&'static Vendor>,
    writer: Option<String>,
}

impl Context<'_> {
    fn reports(&self, statuses: &[DeliveryStatus]) -> Vec<Testimony> {
        if self.parts.feedback || kind::is_receipt(self.parts) || !kind::is_report(self.parts) {
            return Vec::new();
        }
        let blocks = blocks::read(&self.parts.text, RECIPIENTS_MAX);
        let groups = statuses
            .iter()
            .flat_map(|status| status.groups.iter().map(move |group| (status, group)));
        let told: Vec<Testimony> =
            groups.map(|(status, group)| self.by_status(status, group, &blocks)).collect();
        if !told.is_empty() {
            return told;
        }
        if kind::is_automatic_answer(self.parts) && !self.parts.disposition {
            return Vec::new();
        }
        let by_transcript = transcript::read(&self.parts.text);
        let with_words = blocks.iter().filter(|block| !block.words.is_empty()).count();
        if by_transcript.len() > with_words {
            return by_transcript.iter().map(|block| self.by_block(block)).collect();
        }
        let by_text = self.by_text(&blocks);
        // Without any recipient in a place where recipients stand, it may be about anything.
        by_text.into_iter().filter(|told| self.is_about_delivery(told)).collect()
    }

    /// By a group of the machine-readable part, with the readable text for what it lacks.
    fn by_status(&self, status: &DeliveryStatus, group: &Group, blocks: &[Block]) -> Testimony {
        let named = [&group.recipient, &group.original];
        let block = blocks.iter().find(|block| {
            named.iter().any(|name| {
                name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(&block.recipient))
            })
        });
        let (kind, diagnostic) = group.diagnostic.clone().unwrap_or_default();
        let readable = block.map(|block| block.words.clone()).unwrap_or_default();
        let comment = group.comment.clone().unwrap_or_default();
        let fate = group.fate.unwrap_or(match group.status.map(|status| status.class) {
            Some(2) => Fate::Delivered,
            Some(4) => Fate::Deferred,
            _ => Fate::Failed,
        });
        let may_be_positive = fate == Fate::Delivered;
        let reply = told::reply(&diagnostic, may_be_positive)
            .or_else(|| told::reply(&readable, may_be_positive));
        let words = match (diagnostic.is_empty(), readable.is_empty()) {
            // A program's output or exit status, and nothing that says so.
            (false, _) if kind == "x-unix" => format!("X-Unix; {diagnostic}"),
            (false, _) => diagnostic.clone(),
            (true, false) => readable.clone(),
            (true, true) if group.diagnostic.is_none() && comment.is_empty() => self.all_words(),
            (true, true) => comment,
        };
        let mut speaker = told::speaker(&diagnostic, group.remote.as_deref());
        let is_vague = |speaker: &Speaker| !matches!(speaker, Speaker::Remote(_) | Speaker::Writer);
        if is_vague(&speaker) || group.remote.is_some() {
            let better = told::speaker(&readable, group.remote.as_deref());
            speaker = if is_vague(&better) { speaker } else { better };
        }
        if is_vague(&speaker) && (kind.starts_with("x-") || kind == "local") {
            speaker = Speaker::Writer;
        } else if is_vague(&speaker) && kind == "smtp" && reply.is_some() {
            speaker = Speaker::RemoteUnnamed;
        }
        let mut testimony = Testimony {
            speaker,
            fate,
            recipient: group.named(),
            message: status.message.clone(),
            status: group.status,
            reply,
            words: text::joined(&words, blocks::WORDS_MAX),
            place: block
                .map_or(Place::default(), |block| Place { first: block.first, last: block.last }),
            ..Testimony::default()
        };
        let dialogue = block.map_or(self.parts.text.as_str(), |_| self.parts.text.as_str());
        self.finish(&mut testimony, &[&diagnostic, &readable], dialogue);
        testimony
    }

    /// By the readable text alone.
    fn by_text(&self, blocks: &[Block]) -> Vec<Testimony> {
        let failed: Vec<String> = self
            .parts
            .field("x-failed-recipients")
            .map(|list| text::addresses(list).collect())
            .unwrap_or_default();
        let sender = self.parts.field("to").and_then(text::first_address);
        let is_sender = |address: &str| {
            sender.as_deref().is_some_and(|sender| sender.eq_ignore_ascii_case(address))
        };
        let mut chosen: Vec<Block> = blocks.to_vec();
        if !failed.is_empty() {
            chosen.retain(|block| {
                failed.iter().any(|name| name.eq_ignore_ascii_case(&block.recipient))
            });
            for name in failed {
                if !chosen.iter().any(|block| block.recipient.eq_ignore_ascii_case(&name)) {
                    chosen.push(Block { recipient: name, ..Block::default() });
                }
            }
        } else if chosen.iter().any(|block| !is_sender(&block.recipient) && !block.words.is_empty())
        {
            chosen.retain(|block| !is_sender(&block.recipient) && !block.words.is_empty());
        }
        if chosen.is_empty() {
            let recipient = text::addresses(&self.parts.text)
                .find(|address| !is_sender(address) && !is_contact(address))
                .or_else(|| returned_recipient(&self.parts.returned));
            chosen.extend(recipient.map(|recipient| Block { recipient, ..Block::default() }));
        }
        chosen.into_iter().map(|block| self.by_block(&block)).collect()
    }

    fn by_block(&self, block: &Block) -> Testimony {
        let all = self.all_words();
        let words = if block.words.is_empty() { all.clone() } else { block.words.clone() };
        let fate = self.fate(&words);
        let reply = told::reply(&words, false);
        let mut testimony = Testimony {
            speaker: told::speaker(&words, None),
            fate,
            recipient: Some(block.recipient.clone()),
            status: text::status(&words),
            reply,
            words,
            place: Place { first: block.first, last: block.last },
            ..Testimony::default()
        };
        let dialogue = if block.lines.contains("<<<") { &block.lines } else { &self.parts.text };
        self.finish(&mut testimony, &[&block.words], dialogue);
        if testimony.reply.is_none()
            && crate::class::class_of_testimony(&testimony) == crate::Class::Unknown
        {
            // The reason may stand apart from the recipient.
            let apart = [blocks::reason(&self.parts.text), Some(all)].into_iter().flatten();
            let wider = apart.map(|words| Testimony {
                reply: told::reply(&words, false),
                words,
                ..testimony.clone()
            });
            let tells = |wider: &Testimony| {
                crate::class::class_of_testimony(wider) != crate::Class::Unknown
            };
            if let Some(wider) = wider.into_iter().find(tells) {
                testimony = wider;
                testimony.speaker = told::speaker(&testimony.words, None);
                self.finish(&mut testimony, &[], &self.parts.text);
            }
        }
        testimony
    }

    /// Stage, dialogue, writer, dialect, and what the vendor is known for.
    fn finish(&self, testimony: &mut Testimony, sources: &[&str], dialogue: &str) {
        self.complete_by_dialogue(testimony, dialogue);
        if testimony.stage.is_none() {
            testimony.stage = told::stage(sources.iter().copied().chain([&*testimony.words]));
            testimony.stage_is_told = testimony.stage.is_some();
        }
        testimony.writer = self.writer.clone();
        testimony.dialect = self.vendor.map_or(UNKNOWN_DIALECT, |vendor| vendor.name).to_owned();
        testimony.reverse_path = self.parts.field("to").and_then(text::first_address);
        if let Some(refine) = self.vendor.and_then(|vendor| vendor.refine) {
            refine(self.parts, testimony);
        }
        if let Speaker::Remote(host) = &testimony.speaker {
            let is_writer =
                self.writer.as_deref().is_some_and(|writer| writer.eq_ignore_ascii_case(host));
            // A server that reports a dialogue with itself refused on its own.
            if is_writer && testimony.stage != Some(Stage::Rcpt) {
                testimony.speaker = Speaker::Writer;
            }
        }
        if testimony.stage.is_none() {
            testimony.stage = told::derived_stage(testimony);
            testimony.stage_is_told = false;
        }
    }

    /// Where the report quotes the dialogue itself (`>>>`, `<<<`), that is the evidence.
    fn complete_by_dialogue(&self, testimony: &mut Testimony, dialogue: &str) {
        if !dialogue.contains("<<<") {
            return;
        }
        if testimony.reply.is_none() {
            let replies = dialogue.lines().filter_map(|line| line.trim().strip_prefix("<<<"));
            testimony.reply = replies.filter_map(|line| told::reply(line.trim(), false)).next();
        }
        let Some(reply) = &testimony.reply else { return };
        testimony.stage = told::in_dialogue(dialogue, reply.code, &reply.text);
        testimony.stage_is_told = testimony.stage.is_some();
        if !matches!(testimony.speaker, Speaker::Remote(_)) {
            let talking = told::speaker(&text::joined(dialogue, blocks::WORDS_MAX), None);
            if let Some(host) = told::above_dialogue(dialogue) {
                testimony.speaker = Speaker::Remote(host);
            } else if matches!(talking, Speaker::Remote(_)) {
                testimony.speaker = talking;
            }
        }
    }

    fn fate(&self, words: &str) -> Fate {
        const LATER: [&str; 16] = [
            "will be retried",
            "will continue to",
            "will keep trying",
            "this is a warning message only",
            "has not yet been delivered",
            "delivery has been delayed",
            "has been delayed",
            "is delayed for more than",
            "this is only a temporary failure",
            "you do not need to resend",
            "no action is required on your part",
            "will retry",
            "still trying",
            "delivery attempts will continue",
            "temporary failure: message will",
            "not been delivered yet",
        ];
        let lower = format!("{} {words}", self.parts.text).to_lowercase();
        let subject = self.parts.field("subject").unwrap_or("").to_lowercase();
        let is_later = LATER.iter().any(|later| lower.contains(later))
            || ["delayed", "warning: could not send", "(delay)", "still waiting"]
                .iter()
                .any(|later| subject.contains(later));
        let is_over = ["giving up", "permanent", "could not be delivered", "failed permanently"]
            .iter()
            .any(|over| lower.contains(over));
        if is_later && !is_over { Fate::Deferred } else { Fate::Failed }
    }

    /// Whether words that were found without a machine-readable part tell of a delivery at all.
    fn is_about_delivery(&self, told: &Testimony) -> bool {
        let is_known = self.vendor.is_some() && kind::is_from_daemon(self.parts);
        is_known
            || told.reply.is_some()
            || told.status.is_some()
            || kind::is_from_daemon(self.parts)
            || self.parts.has_returned
            || says_undelivered(&self.parts.text)
            || crate::class::class_of_testimony(told) != crate::Class::Unknown
    }

    /// All that the report says, within bounds.
    fn all_words(&self) -> String {
        text::joined(&self.parts.text, blocks::WORDS_MAX)
    }
}

/// Who wrote it, where no field says so: the server that took it from the program that made it, else the
/// domain of the author.
fn writer(parts: &Parts) -> Option<String> {
    let from = parts.field("from").and_then(text::first_address);
    let domain =
        from.and_then(|address| address.rsplit_once('@').map(|(_, domain)| domain.to_owned()));
    let received =
        parts.fields.iter().rev().find(|(name, _)| name == "received").map(|(_, value)| value);
    let by = received.and_then(|value| {
        let at = if value.starts_with("by ") { 3 } else { value.find(" by ")? + 4 };
        delivery_status::host(&value[at..]).filter(|host| host.contains('.'))
    });
    by.or(domain)
}

/// The sentence that every report has, in the languages that were met.
fn says_undelivered(text: &str) -> bool {
    const SENTENCES: [&str; 12] = [
        "could not be delivered",
        "couldn't be delivered",
        "not be delivered",
        "was not delivered",
        "wasn't delivered",
        "undeliverable",
        "unable to deliver",
        "n'a pas pu etre delivre",
        "n'a pas pu être",
        "konnte nicht zugestellt",
        "no se pudo entregar",
        "não pôde ser entregue",
    ];
    let text = text.to_lowercase();
    SENTENCES.iter().any(|sentence| text.contains(sentence))
}

/// Addresses where help is had, and nobody was written to.
fn is_contact(address: &str) -> bool {
    let local = address.split('@').next().unwrap_or("").to_ascii_lowercase();
    ["postmaster", "mailer-daemon", "abuse", "support", "helpdesk", "hostmaster", "webmaster"]
        .contains(&local.as_str())
}

/// Whether words give an address to ask at: after an invitation to, or a role's, that stands without brackets.
fn is_for_questions(words: &str, address: &str) -> bool {
    const INVITATIONS: [&str; 6] =
        ["contact", "write to", "mail to", "mailto:", "questions", "help"];
    let lower = words.to_lowercase();
    let Some(at) = lower.find(&address.to_lowercase()) else { return false };
    let before: Vec<char> = lower[..at].chars().rev().take(30).collect();
    let before: String = before.into_iter().rev().collect();
    // An invitation to another address that stands before is not to this one.
    let own = before.rsplit('@').next().unwrap_or_default();
    INVITATIONS.iter().any(|invitation| own.contains(invitation))
        || is_contact(address) && !before.ends_with('<')
}

fn returned_recipient(returned: &str) -> Option<String> {
    message::header::field(returned.trim_start().as_bytes(), "to")
        .and_then(|field| text::first_address(&String::from_utf8_lossy(&field.unfolded())))
}

/// What the returned message's header section has.
fn original(parts: &Parts) -> Original {
    let octets = parts.returned.trim_start().as_bytes();
    let value = |name: &str| {
        let field = message::header::field(octets, name)?;
        let value = field.unfolded();
        Some(message::encoded_word::decode(&value[..value.len().min(8 * 1024)]))
    };
    Original {
        message_id: value("message-id").map(|id| id.trim_matches(['<', '>', ' ']).to_owned()),
        subject: value("subject"),
        author: value("from").and_then(|from| text::first_address(&from)),
        recipients: value("to")
            .map(|to| text::addresses(&to).take(50).collect())
            .unwrap_or_default(),
    }
}
