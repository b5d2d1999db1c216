//! One session between a client and a server, as somebody saw it.
//!
//! Captures, protocol logs, pasted dialogues and our own transcripts all become this; rules, the
//! comparison of two sides and everything that shows a dialogue read nothing else. Whoever makes one
//! strikes out secrets before a line enters.

use std::{net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};
pub use smtp::Party;

use crate::fingerprint::Fingerprint;

/// A session and what is known of its circumstances.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// What it was read from.
    pub source: Source,
    /// Whose side it was seen from.
    pub vantage: Vantage,
    /// The end that opened the connection.
    pub client: Endpoint,
    /// The end that was connected to.
    pub server: Endpoint,
    /// When it began, in microseconds since 1970 (UTC); `None` where the evidence has no date.
    pub started: Option<i64>,
    /// What was said and what happened, in order of time.
    pub lines: Vec<Line>,
    /// What the packets show besides; only a capture has it.
    pub wire: Option<Wire>,
    /// What a TLS handshake showed of itself, where there was one.
    pub tls: Option<TlsSeen>,
    /// What is known of contents besides their length, in the order of their lines; only for comparing two
    /// sides, so it is not written down.
    #[serde(skip)]
    pub contents: Vec<Fingerprint>,
}

/// What a session was read from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// Packets.
    Capture,
    /// The log of that program: `exchange-2007`, `postfix`.
    Log(String),
    /// A dialogue that a tool or a person wrote down: `swaks`, `telnet`.
    #[default]
    Pasted,
    /// Our own machine's transcript.
    Own,
}

/// Where the evidence was gathered. It decides what a missing line proves: what the client's own log
/// has and the wire has not was taken away on the client's host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Vantage {
    /// Inside the client's program: its log, our own transcript as a client.
    Client,
    /// Inside the server's program.
    Server,
    /// On the wire, at a place that the evidence does not tell.
    #[default]
    Wire,
}

/// One end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Address and port.
    pub address: Option<SocketAddr>,
    /// Its name, where the evidence has one apart from what it says of itself in the dialogue.
    pub name: Option<String>,
}

/// One line, or one event between lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Since [`Session::started`], to the microsecond.
    pub at: Duration,
    /// Who said or did it; [`Party::Note`] for a remark of neither.
    pub by: Party,
    /// What it is.
    pub kind: Kind,
    /// The octets, without line ending, possibly not UTF-8. Of content and blobs at most the beginning.
    pub text: Vec<u8>,
    /// Where it stands in the evidence.
    pub place: Place,
}

/// Packet numbers of a capture or line numbers of a file, both counted from 1; 0 where there are none.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Place {
    /// Where it begins.
    pub first: u64,
    /// Where it ends; the same for most.
    pub last: u64,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// A client's command line.
    Command(Ending),
    /// One line of a server's reply, code and separator included.
    Reply(Ending),
    /// A client's line within a SASL exchange; its text is struck out.
    SaslResponse,
    /// A message's content after DATA, all of it; the final dot is part of it if `finished`.
    Content {
        /// As transferred: dots stuffed, the final dot's line not counted.
        octets: u64,
        /// Whether the final dot was seen.
        finished: bool,
    },
    /// The octets that a command announced: a BDAT chunk, an XEXCH50 or X-LINK2STATE blob.
    Blob {
        /// Octets seen.
        octets: u64,
        /// Octets announced.
        announced: u64,
    },
    /// Octets under TLS, or otherwise no SMTP.
    Encrypted {
        /// How many.
        octets: u64,
    },
    /// Octets that this side sent and the capture has not, which is the capture's loss unless the wire
    /// shows more ([`Side::unseen_but_acknowledged`]).
    Gap {
        /// How many.
        octets: u64,
    },
    /// What the connection did.
    Event(Event),
}

/// How a line ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Ending {
    /// CR LF, or not recorded by the evidence.
    #[default]
    Crlf,
    /// LF alone.
    Lf,
    /// CR alone.
    Cr,
    /// The line was cut off: the connection or the evidence ends within it.
    Missing,
}

/// Something that happened to the connection; `Line::by` did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Event {
    /// The connection was made.
    Connected,
    /// The connection could not be made: refused (RST), not answered, or unreachable. The text says which.
    NotConnected,
    /// This side closed in order (FIN).
    Closed,
    /// This side's packets broke it off (RST).
    Reset,
    /// This side began a TLS handshake.
    TlsHello,
    /// TLS is established.
    TlsEstablished,
    /// This side sent a TLS alert; the text names it, where it can be read.
    TlsAlert,
    /// A TLS handshake or a check of the certificate failed, as somebody noted it; the text says why.
    TlsFailed,
    /// The evidence ends here though the session does not.
    EvidenceEnds,
    /// A remark; the text is all there is.
    Remark,
}

/// What the packets of a session show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wire {
    /// Whether the session's first SYN was seen; else the capture starts in its midst.
    pub handshake_seen: bool,
    /// The client's packets.
    pub client: Side,
    /// The server's packets.
    pub server: Side,
    /// ICMP errors about this connection: what they say, and where they stand.
    pub icmp: Vec<(Place, String)>,
}

/// What one side's packets show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// How many packets it sent; 0 on the missing side of a one-sided capture.
    pub packets: u64,
    /// Octets of its stream that were seen, each once.
    pub octets: u64,
    /// Segments that carried only octets sent before, and repeated SYNs and FINs.
    pub retransmissions: u32,
    /// Payload lengths of the shortest and the longest segment that was retransmitted.
    pub retransmitted_lengths: Option<(u32, u32)>,
    /// Longest wait between two retransmissions of the same octets.
    pub retransmission_wait_max: Duration,
    /// Longest segment of which the other side acknowledged every octet.
    pub passed_length_max: u32,
    /// Octets at the end of its stream that the other side never acknowledged.
    pub unacknowledged: u64,
    /// Octets that the other side acknowledged and the capture has not: they were sent, so the gap is
    /// the capture's.
    pub unseen_but_acknowledged: u64,
    /// Segments that came before an earlier part of the stream.
    pub out_of_order: u32,
    /// Segments that said "no room" (window 0), and the longest time that this lasted.
    pub zero_windows: u32,
    /// Longest time without room.
    pub zero_window_max: Duration,
    /// Maximum segment size, from its SYN.
    pub mss: Option<u16>,
    /// Window scale shift, from its SYN.
    pub window_scale: Option<u8>,
    /// Whether its segments forbid fragmentation.
    pub dont_fragment: bool,
    /// TTL or hop limit of its SYN, else of its first segment.
    pub ttl: Option<u8>,
    /// TTL or hop limit of its RST.
    pub ttl_of_reset: Option<u8>,
    /// Octets of its stream came after its own RST: that RST was another's.
    pub spoke_after_reset: bool,
    /// Overlapping segments disagreed about an octet: somebody injected.
    pub contradictions: u32,
}

/// What a TLS handshake shows from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsSeen {
    /// `TLSv1.3`, as negotiated.
    pub version: Option<String>,
    /// Name of the cipher suite.
    pub cipher: Option<String>,
    /// The name that the client asked for.
    pub server_name: Option<String>,
    /// Subject and issuer of each certificate, the server's own first; empty under TLS 1.3.
    pub certificates: Vec<(String, String)>,
    /// Alerts, by whom, with their names.
    pub alerts: Vec<(Party, String)>,
    /// Whether the lines after the handshake were read with a key log.
    pub decrypted: bool,
}

impl Session {
    /// What is known of the content at that line besides its length.
    pub fn fingerprint(&self, line: usize) -> Option<&Fingerprint> {
        self.contents.iter().find(|print| print.line == line)
    }
}

impl Place {
    /// A single packet or line.
    pub fn at(number: u64) -> Self {
        Self { first: number, last: number }
    }
}

impl Line {
    /// Whether it is a reply's line, and not the last of its reply (`250-...`).
    pub fn is_continued_reply(&self) -> bool {
        matches!(self.kind, Kind::Reply(_)) && self.text.get(3) == Some(&b'-')
    }

    /// The text, without octets that are not UTF-8.
    pub fn lossy(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.text)
    }
}
