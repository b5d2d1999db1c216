//! What a person or a program wants to know of a refusal, as one value: who said it, when, what it means, why,
//! what to do, and who has to do it.
//!
//! Known texts come first, then the class (words, status, code), then the table of meanings, which
//! ends with the first digit (RFC 5321 section 4.2).

use std::net::IpAddr;

use serde::Serialize;
use smtp::{EnhancedStatus, Reply, Stage};

use crate::{
    blocklists,
    class::{self, Basis, Class, Profile, Retry},
    finding::Party,
    known::{self, Known},
    meanings::{self, Meaning},
    testimony::{Fate, Speaker, Testimony},
};

/// A refusal, explained.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The class.
    pub class: Class,
    /// What decided the class.
    pub basis: Basis,
    /// A few words for it.
    pub title: &'static str,
    /// Who said it, in a sentence's part: `the server mx.b.test`.
    pub speaker: String,
    /// Who wrote the report, where that is another.
    pub writer: Option<String>,
    /// The recipient.
    pub recipient: Option<String>,
    /// The stage, where there is one.
    pub stage: Option<Stage>,
    /// Whether the evidence names the stage; else it is the likeliest.
    pub stage_is_told: bool,
    /// The reply, on one line.
    pub reply: Option<String>,
    /// The reply code.
    pub code: Option<u16>,
    /// The enhanced status: the reply's, else the report's.
    pub status: Option<String>,
    /// What became of the mail.
    pub fate: Permanence,
    /// What is meant, each a sentence; the most precise first.
    pub means: Vec<String>,
    /// Likely causes, the likeliest first.
    pub causes: Vec<&'static str>,
    /// What to do, in this order.
    pub remedies: Vec<String>,
    /// Whether sending it again unchanged helps.
    pub retry: &'static str,
    /// Who has to act.
    pub who: Party,
    /// The blocklist that is named.
    pub blocklist: Option<Listing>,
    /// Where more stands.
    pub link: Option<&'static str>,
    /// The words, where there is no reply.
    pub words: Option<String>,
}

/// For good, or for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permanence {
    /// Done.
    Done,
    /// It will be tried again.
    Transient,
    /// It will not.
    Permanent,
}

/// A blocklist that a reply names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// As people call it.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// The address that is listed, where the reply has it.
    pub address: Option<IpAddr>,
    /// Where to look it up; empty where there is no such page any more.
    pub page: String,
}

/// Where somebody else's words were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// A report: it has a writer.
    Report,
    /// A line of a log: the server's own notes.
    Log,
    /// Words that stand alone.
    Words,
}

/// Explains what a report says of one recipient.
pub fn of_testimony(testimony: &Testimony) -> Explanation {
    of(testimony, Source::Report)
}

/// Explains what a line of a log says of one recipient.
pub fn of_log_line(testimony: &Testimony) -> Explanation {
    of(testimony, Source::Log)
}

/// Explains words that stand alone: a reply that somebody pastes.
pub fn of_words(testimony: &Testimony) -> Explanation {
    of(testimony, Source::Words)
}

fn of(testimony: &Testimony, source: Source) -> Explanation {
    let (class, basis) = class::classify_testimony(testimony);
    let profile = class.profile();
    let words = testimony.reply.as_ref().map_or(testimony.words.as_str(), |reply| &reply.text);
    let status = testimony.reply.as_ref().and_then(|reply| reply.status).or(testimony.status);
    let known = known::of(&said(testimony.reply.as_ref(), words));
    let fate = permanence(testimony, status);
    let meaning = meaning(testimony.reply.as_ref(), status, testimony.stage);
    let listing = listing(class, words);
    let is_done = fate == Permanence::Done && class == Class::Unknown;
    let is_still_tried = class == Class::Expired && testimony.fate == Fate::Deferred;
    Explanation {
        class,
        basis,
        title: match meaning {
            Some(meaning) if is_done => meaning.name,
            _ if is_still_tried => "not delivered yet",
            _ => profile.title,
        },
        speaker: speaker(testimony, source),
        writer: testimony.writer.clone(),
        recipient: testimony.recipient.clone(),
        stage: testimony.stage,
        stage_is_told: testimony.stage_is_told,
        reply: testimony.reply.as_ref().map(ToString::to_string),
        code: testimony.reply.as_ref().map(|reply| reply.code),
        status: status.map(|status| status.to_string()),
        fate,
        means: means(profile, basis, known, meaning, testimony),
        causes: causes(profile, known, is_done),
        remedies: match meaning {
            Some(meaning) if is_done => vec![meaning.check.trim_end_matches('.').to_owned()],
            _ => remedies(profile, known, meaning, listing.as_ref()),
        },
        retry: if is_still_tried { STILL_TRIED } else { retry(profile, fate) },
        who: profile.who,
        link: known.map(|known| known.link).filter(|link| !link.is_empty()),
        blocklist: listing,
        words: testimony
            .reply
            .is_none()
            .then(|| testimony.words.clone())
            .filter(|words| !words.is_empty()),
    }
}

/// Explains a bare reply; the stage where it is known.
pub fn of_reply(reply: &Reply, stage: Option<Stage>) -> Explanation {
    of_testimony(&Testimony {
        reply: Some(reply.clone()),
        stage,
        stage_is_told: stage.is_some(),
        fate: if reply.code < 400 { Fate::Delivered } else { Fate::Failed },
        ..Testimony::default()
    })
}

fn said(reply: Option<&Reply>, words: &str) -> String {
    reply.map_or_else(|| words.to_owned(), ToString::to_string)
}

/// Whose words they are. Nobody is called a report's writer where there is no report.
fn speaker(testimony: &Testimony, source: Source) -> String {
    let (written, evidence) = match source {
        Source::Report => ("wrote the report", "the report"),
        Source::Log => ("wrote this line of its log", "the log"),
        Source::Words => ("passed the words on", "the text"),
    };
    match (&testimony.speaker, &testimony.writer, source) {
        (Speaker::Remote(host), ..) => host.clone(),
        (Speaker::Writer, Some(writer), Source::Report) => {
            format!("{writer}, which also {written}")
        }
        (Speaker::Writer, Some(writer), _) => writer.clone(),
        (Speaker::Writer, None, Source::Words) => "not told".to_owned(),
        (Speaker::Writer, None, _) => format!("the server that {written}"),
        (Speaker::RemoteUnnamed, _, Source::Words) => {
            "a server that the text does not name".to_owned()
        }
        (Speaker::RemoteUnnamed, ..) => format!("another server, which {evidence} does not name"),
        (Speaker::Unknown, Some(writer), _) => {
            format!("not told; perhaps {writer} itself, which {written}")
        }
        (Speaker::Unknown, None, _) => "not told".to_owned(),
    }
}

/// The digit of the reply decides for the server, the fate for the mail.
fn permanence(testimony: &Testimony, status: Option<EnhancedStatus>) -> Permanence {
    let digit = testimony.reply.as_ref().map(|reply| reply.code / 100);
    match (testimony.fate, digit.or(status.map(|status| u16::from(status.class)))) {
        (Fate::Delivered, _) | (_, Some(2 | 3)) => Permanence::Done,
        (Fate::Deferred, _) | (_, Some(4)) => Permanence::Transient,
        _ => Permanence::Permanent,
    }
}

fn meaning(
    reply: Option<&Reply>,
    status: Option<EnhancedStatus>,
    stage: Option<Stage>,
) -> Option<&'static Meaning> {
    let stage = stage.unwrap_or(Stage::Other);
    match (reply, status) {
        (Some(reply), _) => Some(meanings::of_reply(reply, stage)),
        (None, Some(status)) => Some(meanings::of_status(status)),
        (None, None) => None,
    }
}

fn means(
    profile: &Profile,
    basis: Basis,
    known: Option<&Known>,
    meaning: Option<&Meaning>,
    testimony: &Testimony,
) -> Vec<String> {
    // A known text with causes of its own is no case of what the class says in general.
    let is_own = known.is_some_and(|known| !known.causes.is_empty());
    let is_general = !is_own && (profile.class != Class::Unknown || meaning.is_none());
    let general = is_general.then(|| profile.means.to_owned());
    // The table of codes and statuses is for what words did not tell, and for dialogues: there the step
    // tells which command was missed.
    let by_table = match (profile.class, &testimony.reply, testimony.stage) {
        (Class::Unknown, ..) => meaning.map(|meaning| meaning.means.to_owned()),
        (Class::Syntax, Some(reply), Some(stage)) => {
            let means = meanings::of_code(reply.code, stage).means;
            Some(match testimony.stage_is_told {
                true => means.to_owned(),
                false => format!("At {stage}, the likeliest step for it, that means: {means}"),
            })
        }
        _ => None,
    };
    let doubt = match basis {
        Basis::Gist => Some("The phrase is not known here; a word in it names the subject."),
        Basis::Hint => {
            Some("The phrase is not known here; a word in it leaves this likely, no more.")
        }
        _ => None,
    };
    let known = known.map(|known| format!("{} says it: {}", known.who, known.means));
    known.into_iter().chain(by_table).chain(general).chain(doubt.map(str::to_owned)).collect()
}

/// What made it, the likeliest first; nothing made what went well.
fn causes(profile: &Profile, known: Option<&Known>, is_done: bool) -> Vec<&'static str> {
    match known {
        _ if is_done => Vec::new(),
        Some(known) if !known.causes.is_empty() => known.causes.to_vec(),
        _ => profile.causes.to_vec(),
    }
}

fn remedies(
    profile: &Profile,
    known: Option<&Known>,
    meaning: Option<&Meaning>,
    listing: Option<&Listing>,
) -> Vec<String> {
    let mut remedies: Vec<String> = Vec::new();
    remedies.extend(known.map(|known| known.remedy.trim_end_matches('.').to_owned()));
    if let Some(listing) = listing.filter(|listing| !listing.page.is_empty()) {
        let address = listing
            .address
            .map_or_else(|| "the sending address".to_owned(), |address| address.to_string());
        remedies.push(format!(
            "look {address} up in {} and ask for removal there: {}",
            listing.name, listing.page
        ));
    }
    if let Some(meaning) = meaning.filter(|_| profile.class == Class::Unknown) {
        remedies.push(meaning.check.trim_end_matches('.').to_owned());
    }
    // Where the list's page is known, that it should be looked for need not be said.
    let is_told = |remedy: &&str| {
        listing.is_some_and(|listing| !listing.page.is_empty())
            && remedy.starts_with("look the address up")
    };
    let is_own = known.is_some_and(|known| !known.causes.is_empty());
    let general = profile.remedies.iter().copied().filter(|remedy| !is_own && !is_told(remedy));
    remedies.extend(general.map(str::to_owned));
    remedies
}

/// A report that it is late, and no more.
const STILL_TRIED: &str = "not needed: the server goes on trying by itself";

fn retry(profile: &Profile, fate: Permanence) -> &'static str {
    match (profile.retry, fate) {
        (_, Permanence::Done) => "not needed",
        (Retry::Helps, Permanence::Transient) => "yes: it is tried again by itself, and may pass",
        (Retry::Helps, Permanence::Permanent) => {
            "later perhaps: this attempt is given up, but the trouble may pass by itself"
        }
        (Retry::ByCode, Permanence::Transient) => {
            "yes, the server says so: it is tried again by itself"
        }
        (Retry::ByCode, Permanence::Permanent) => "not soon: the server says no for good",
        (Retry::AfterChange, Permanence::Transient) => {
            "hardly, though the code is 4yz: something has to change first"
        }
        (Retry::AfterChange, Permanence::Permanent) => "no, something has to change first",
    }
}

/// The list that the words name, if it is about lists at all.
fn listing(class: Class, words: &str) -> Option<Listing> {
    if !matches!(
        class,
        Class::Blocklisted | Class::BadReputation | Class::Spam | Class::SenderRefused
    ) {
        return None;
    }
    let lower = class::plain(words);
    let list = blocklists::named_in(&lower)?;
    let address = quoted_address(words);
    let subject = address.map(|address| address.to_string());
    Some(Listing {
        name: list.name,
        about: list.about,
        address,
        page: list.page(subject.as_deref()),
    })
}

/// The first IP address in the words.
fn quoted_address(words: &str) -> Option<IpAddr> {
    let is_part = |c: char| c.is_ascii_hexdigit() || c == '.' || c == ':';
    let candidates = words.split(|c: char| !is_part(c)).map(|word| word.trim_matches(['.', ':']));
    candidates.filter(|word| word.len() >= 7).find_map(|word| word.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blocklist_is_named_with_address_and_page() {
        let reply = Reply::new(
            550,
            (5, 7, 1),
            "Email rejected because 192.0.2.41 is listed by zen.spamhaus.org. Please see http://x.test",
        );
        let explained = of_reply(&reply, Some(Stage::Rcpt));
        assert_eq!(explained.class, Class::Blocklisted);
        let listing = explained.blocklist.unwrap();
        assert_eq!(
            (listing.name, listing.address),
            ("Spamhaus ZEN", Some("192.0.2.41".parse().unwrap()))
        );
        assert!(
            listing.page.contains("192.0.2.41") || listing.page.starts_with("https://"),
            "{}",
            listing.page
        );
        assert!(explained.remedies[0].contains("192.0.2.41"), "{:?}", explained.remedies);
    }

    #[test]
    fn what_nothing_is_known_of_is_told_by_its_first_digit() {
        for (code, fate, digit) in
            [(599, Permanence::Permanent, "5"), (499, Permanence::Transient, "4")]
        {
            let explained = of_reply(&Reply::bare(code, "qwertz"), None);
            assert_eq!((explained.class, explained.fate), (Class::Unknown, fate), "{digit}");
            assert!(!explained.means.is_empty() && !explained.remedies.is_empty());
        }
    }
}
