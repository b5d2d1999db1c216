//! Delivery status notifications (RFC 3461 to 3464, RFC 6522, RFC 6533): what the originator hears.
//!
//! [`write`] makes a `multipart/report` of three parts: plain words, `message/delivery-status`, and
//! what is returned of the original. The original itself is not copied: the DSN is
//! `head`, then the part of the original that [`Original`] names, then `tail`, so that one of 50 MB
//! need not be in memory.
//!
//! The caller keeps the laws: no DSN to a null reverse-path (the type allows none; what could not be
//! told so may be told to the postmaster), and only for
//! recipients whose NOTIFY asks for it. The DSN's own reverse-path is null.
//!
//! Everything but the returned original is 7 bit, unless the reader's own address shows that it can
//! do more.

mod human;
mod returned;
mod status;

use smtp::{
    Address, Attempt, BodyType, Cause, EnhancedStatus, Envelope, Outcome, Recipient, Timestamp,
    client::Features,
};

use crate::{date, encoded_word, wrap};

/// All that goes into a DSN.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// Our own name: Reporting-MTA, and who speaks in the first part.
    pub host: &'a str,
    /// The From field's value, for example `Mail Delivery System <postmaster@mx.a.test>`.
    pub from: &'a str,
    /// The originator: the original's reverse-path; for a double bounce, whoever is told instead.
    pub to: &'a Address,
    /// When the DSN is written.
    pub at: Timestamp,
    /// Minutes east of Greenwich in which dates are written.
    pub offset: i16,
    /// An atom that no other message of `host` has: left side of the DSN's Message-ID.
    pub unique: &'a str,
    /// MIME boundary: 1 to 60 letters, digits or `=_.-` that no line of the original begins with
    /// (behind `--`); a random one of 20 letters does.
    pub boundary: &'a str,
    /// The original's envelope: ENVID, RET, BY and SMTPUTF8 are read.
    pub envelope: &'a Envelope,
    /// When BY= is over (RFC 2852), counted from its arrival or release.
    pub deliver_by: Option<Timestamp>,
    /// The original.
    pub content: Content<'a>,
    /// Its queue id here.
    pub queue_id: &'a str,
    /// When it arrived here.
    pub arrived: Timestamp,
    /// Who handed it to us, for Received-From-MTA.
    pub received_from: Option<&'a str>,
    /// What became of whom; at least one.
    pub fates: &'a [Fate<'a>],
}

/// What has to be known of the original content.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    /// Its first octets: the header section if that is not longer than the caller likes to hold.
    pub head: &'a [u8],
    /// Octets in all.
    pub length: u64,
    /// Longer ones are returned as header section, where RET doesn't ask for the whole.
    pub whole_length_max: u64,
}

/// What became of one recipient.
#[derive(Clone, Copy, Debug)]
pub struct Fate<'a> {
    /// Whom, with ORCPT.
    pub recipient: &'a Recipient,
    /// What became of it.
    pub action: Action,
    /// Why, in numbers.
    pub status: EnhancedStatus,
    /// The last attempt, with the dialogue; its outcome for this forward-path is looked up.
    pub attempt: Option<&'a Attempt>,
    /// When that was.
    pub attempted: Option<Timestamp>,
    /// How many attempts there were in all.
    pub attempts: u32,
    /// For [`Action::Delayed`]: when we give up.
    pub retry_until: Option<Timestamp>,
    /// What it means and what to do.
    pub explanation: Option<&'a Explanation>,
    /// For [`Action::Relayed`]: what the server knew that took it over. With DSN, reports may follow from there.
    pub passed_on: Features,
}

/// The Action field (RFC 3464 section 2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Not delivered, and not tried any more.
    Failed,
    /// Not delivered yet.
    Delayed,
    /// Handed over to a server that sends no DSNs of its own.
    Relayed,
    /// In the recipient's mailbox.
    Delivered,
}

/// What a diagnosis has to say to the originator, in plain sentences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// What the failure means.
    pub meaning: String,
    /// What the originator can do about it.
    pub remedy: String,
    /// Index into the attempt's transcript: the line that decided.
    pub line: Option<usize>,
    /// Index of the command that it answers.
    pub command: Option<usize>,
}

/// A DSN, to be sent from the null reverse-path to [`Report::to`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dsn {
    /// What stands in front of the original.
    pub head: Vec<u8>,
    /// Which octets of the original follow.
    pub original: Original,
    /// What stands behind it.
    pub tail: Vec<u8>,
    /// What has to be said as BODY= (8BITMIME or BINARYMIME if the returned original needs it).
    pub body: BodyType,
    /// The address or the header section needs SMTPUTF8.
    pub smtputf8: bool,
}

/// How much of the original a DSN returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Original {
    /// Its first so many octets: the header section.
    Headers(u64),
    /// All of it.
    Whole,
}

impl Dsn {
    /// The whole DSN, when the original is in memory.
    pub fn assemble(&self, original: &[u8]) -> Vec<u8> {
        let returned = match self.original {
            Original::Headers(length) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                &original[..length.min(original.len())]
            }
            Original::Whole => original,
        };
        [&self.head, returned, &self.tail].concat()
    }
}

impl Action {
    /// As it stands in the Action field.
    pub fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Relayed => "relayed",
            Self::Delivered => "delivered",
        }
    }
}

impl Fate<'_> {
    /// The outcome of the last attempt for this recipient.
    fn outcome(&self) -> Option<&Outcome> {
        let outcomes = &self.attempt?.outcomes;
        let path = &self.recipient.forward_path;
        outcomes.iter().find(|(tried, _)| tried == path).map(|(_, outcome)| outcome)
    }

    /// Why the last attempt didn't relay.
    fn cause(&self) -> Option<&Cause> {
        match self.outcome()? {
            Outcome::Deferred(cause) | Outcome::Failed(cause) => Some(cause),
            Outcome::Relayed(_) => None,
        }
    }

    /// It failed because its time was over, not because somebody said no for good.
    fn is_expired(&self) -> bool {
        self.action == Action::Failed && matches!(self.outcome(), Some(Outcome::Deferred(_)))
    }
}

/// Writes the DSN.
pub fn write(report: &Report<'_>) -> Dsn {
    let returned = returned::decide(report);
    let mut head = Vec::with_capacity(4096);
    write_header(report, &returned, &mut head);
    delimiter(report, &mut head);
    human::write(report, &returned, &mut head);
    delimiter(report, &mut head);
    status::write(report, &mut head);
    delimiter(report, &mut head);
    returned.write_header(&mut head);
    let mut tail = Vec::with_capacity(80);
    for part in ["\r\n--", report.boundary, "--\r\n"] {
        tail.extend_from_slice(part.as_bytes());
    }
    Dsn {
        head,
        original: returned.original,
        tail,
        body: returned.body,
        smtputf8: report.to.needs_smtputf8() || !report.from.is_ascii(),
    }
}

fn delimiter(report: &Report<'_>, out: &mut Vec<u8>) {
    for part in ["\r\n--", report.boundary, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

fn write_header(report: &Report<'_>, returned: &returned::Returned, out: &mut Vec<u8>) {
    out.extend_from_slice(b"Date: ");
    date::write(out, report.at, report.offset);
    out.extend_from_slice(b"\r\n");
    field(out, "From", report.from);
    field(out, "To", &format!("<{}>", report.to));
    encoded_word::write_field(out, "Subject", &subject(report));
    field(out, "Message-ID", &format!("<{}@{}>", report.unique, report.host));
    if let Some(id) = returned.message_id.as_deref() {
        field(out, "In-Reply-To", id);
        field(out, "References", id);
    }
    // RFC 3834 section 5: so that no responder answers it.
    field(out, "Auto-Submitted", "auto-replied");
    field(out, "MIME-Version", "1.0");
    let boundary = report.boundary;
    out.extend_from_slice(
        b"Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"",
    );
    out.extend_from_slice(boundary.as_bytes());
    out.extend_from_slice(b"\"\r\n");
    field(out, "Content-Transfer-Encoding", returned::encoding_name(returned.body));
    out.extend_from_slice(b"\r\nThis is a MIME message: a report on mail, in three parts.\r\n");
}

/// Undelivered before delayed before delivered: the worst news first.
fn subject(report: &Report<'_>) -> String {
    let worst = report.fates.iter().map(|fate| fate.action).min().unwrap_or(Action::Failed);
    let mut concerned = report.fates.iter().filter(|fate| fate.action == worst);
    let first =
        concerned.next().map_or(String::new(), |fate| fate.recipient.forward_path.to_string());
    let others = match concerned.count() {
        0 => String::new(),
        1 => " and one other".to_owned(),
        more => format!(" and {more} others"),
    };
    let news = match worst {
        Action::Failed => "Undelivered mail to",
        Action::Delayed => "Delayed mail, still trying:",
        Action::Relayed => "Mail passed on to",
        Action::Delivered => "Mail delivered to",
    };
    format!("{news} {first}{others}")
}

/// Appends an ASCII field, cleaned and folded.
fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    wrap::write_field(out, name, value);
}
