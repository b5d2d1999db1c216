//! What the client's next octets are, as far as it is known.

use super::{
    content::{Content, End, Scan},
    dialogue::{Asked, Wrapping},
    fingerprint::Printer,
    held::{Body, Held, Stamp},
    line::LineReader,
};

/// So much waits for a reply at most.
const HELD_MAX: usize = 64 * 1024;
/// Octets of a blob's beginning that are kept.
const BLOB_SHOWN_MAX: usize = 256;

/// What is remembered of the client's side.
#[derive(Clone, Debug, Default)]
pub(super) struct ClientSide {
    pub wrapping: Wrapping,
    pub state: Client,
    pub line: LineReader,
    pub held: Held,
    /// AUTH was refused: what looks like no command may be a password.
    pub auth_refused: bool,
    /// Commands may be missing: what looks like a response of SASL may be one.
    pub unsure: bool,
    /// Commands are missing, and what came since has not shown yet that DATA was not one of them.
    pub may_be_content: bool,
    /// STARTTLS was accepted.
    pub tls_due: bool,
}

/// What the next octets are.
#[derive(Clone, Debug, Default)]
pub(super) enum Client {
    #[default]
    Lines,
    /// That depends on a reply.
    Waiting(Wait),
    /// That depends on whether their first line is a command.
    Peek(Then),
    Content(Box<Content>),
    Blob(Blob),
    /// One response of SASL.
    Sasl,
}

/// What reply is waited for.
#[derive(Clone, Debug)]
pub(super) enum Wait {
    Data,
    Auth,
    StartTls,
    /// The blob that follows a 354.
    Xexch50(u64),
    LooseEnd(LooseEnd),
}

/// What octets are that are no command.
#[derive(Clone, Debug)]
pub(super) enum Then {
    Content(Box<Content>),
    /// Content whose beginning is missing, so that its first line may be a command's rest as well.
    Midway(Box<Content>),
    Blob(Blob),
    Sasl,
}

/// A dot that is the content's end if the server takes it for one.
#[derive(Clone, Debug)]
pub(super) struct LooseEnd {
    pub content: Box<Content>,
    /// Looks for a strict end behind it.
    pub scan: Scan,
    pub strict_found: bool,
    /// The server said something.
    pub answered: bool,
}

/// Octets that a command announced.
#[derive(Clone, Debug)]
pub(super) struct Blob {
    pub announced: u64,
    pub left: u64,
    pub seen: u64,
    pub shown: Vec<u8>,
    /// `None` once part of it is missing.
    pub print: Option<Box<Printer>>,
    /// Where it begins and ends, once there is something of it.
    pub place: Option<(Stamp, Stamp)>,
    /// The reply that is due behind it, if its command's own was another one.
    pub reply: Option<Asked>,
}

impl LooseEnd {
    fn look_behind(&mut self, octets: &[u8]) {
        let mut rest = octets;
        while !rest.is_empty() && !self.strict_found {
            let (used, found) = self.scan.advance(rest);
            rest = &rest[used..];
            self.strict_found = found == Some(End::Strict);
        }
    }
}

impl Blob {
    pub fn new(announced: u64, reply: Option<Asked>) -> Self {
        Self {
            announced,
            left: announced,
            seen: 0,
            shown: Vec::new(),
            print: Some(Box::new(Printer::chunk())),
            place: None,
            reply,
        }
    }

    /// Takes what belongs to it; gives how much that was.
    pub fn read(&mut self, stamp: Stamp, octets: &[u8]) -> usize {
        let used = octets.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let room = BLOB_SHOWN_MAX - self.shown.len();
        self.shown.extend_from_slice(&octets[..used.min(room)]);
        if let Some(print) = &mut self.print {
            print.read(&octets[..used]);
        }
        self.left -= used as u64;
        self.seen += used as u64;
        self.place = Some((self.place.map_or(stamp, |(first, _)| first), stamp));
        used
    }
}

impl Client {
    /// Content that begins behind what stands at `stamp`.
    pub fn content(stamp: Stamp) -> Box<Content> {
        Box::new(Content::new(stamp, Scan::at_line(true)))
    }
}

impl ClientSide {
    /// Whether octets have to wait.
    pub fn waits(&self) -> bool {
        matches!(self.state, Client::Waiting(_) | Client::Peek(_))
    }

    /// Lets octets wait.
    pub fn hold(&mut self, stamp: Stamp, octets: &[u8]) {
        if let Client::Waiting(Wait::LooseEnd(end)) = &mut self.state {
            end.look_behind(octets);
        }
        self.held.push(stamp, octets);
    }

    /// What waited behind a content is put back: it may have an end that was not looked for yet.
    pub fn put_back(&mut self, stamp: Stamp, body: Body) {
        self.held.put_back(stamp, body);
        if let Client::Waiting(Wait::LooseEnd(end)) = &mut self.state {
            self.held.octets().for_each(|octets| end.look_behind(octets));
        }
    }

    pub fn holds_too_much(&self) -> bool {
        self.held.memory() > HELD_MAX
    }

    /// Whether what waits begins with a record of TLS.
    pub fn holds_tls(&self) -> bool {
        matches!(self.held.beginning(2, 1).0[..], [20..=23, 3])
    }

    /// What a reply has to be due to that comes while octets wait.
    pub fn waits_for(&self) -> Option<Asked> {
        match &self.state {
            Client::Waiting(Wait::Data) => Some(Asked::Data),
            Client::Waiting(Wait::Auth) => Some(Asked::Auth),
            Client::Waiting(Wait::StartTls) => Some(Asked::StartTls),
            Client::Waiting(Wait::Xexch50(_)) => Some(Asked::Xexch50),
            _ => None,
        }
    }
}
