//! The client machine: one SMTP or LMTP connection as a value. `mailwright serve`, `send` and every
//! tool drive this one, and it writes the transcript itself.
//!
//! The driver's part:
//! - what the peer sends goes into [`feed`](Client::feed) (all of it is taken), how the connection ends
//!   into [`closed_by_peer`](Client::closed_by_peer) or [`network_failed`](Client::network_failed): after
//!   what can still be read was fed, as the reason often stands there;
//! - after each call: write and clear [`commands`](Client::commands), then [`poll`](Client::poll) until
//!   `None`; call [`expire`](Client::expire) once [`deadline`](Client::deadline) has passed;
//! - on [`Output::SignIn`], [`Output::Gss`], [`Output::Salt`]: `sign_in`, `gss_answered`, `salted`; nothing is
//!   awaited meanwhile;
//! - on [`Output::Content`]: what is in `commands` is written first, then the content through
//!   [`frame`](Client::frame) piece by piece, then [`content_sent`](Client::content_sent). While content is
//!   under way, what the peer says is still fed: it may end the transaction early;
//! - on [`Output::Close`]: close. Nothing comes behind it.
//!
//! | state       | what is awaited                               | left by                             |
//! |-------------|-----------------------------------------------|-------------------------------------|
//! | Opening     | greeting, EHLO, STARTTLS, AUTH                | `Ready` or `Failed`                 |
//! | Handshake   | the driver's TLS handshake                    | `tls_established`, `tls_failed`     |
//! | Ready       | nothing, or replies to `command`              | `begin`, `quit`                     |
//! | Transacting | MAIL, RCPT, DATA or BDAT, end of data         | `Finished`                          |
//! | Quitting    | the reply to QUIT, whatever it is             | `Close`                             |
//! | Closed      | nothing                                       |                                     |
//!
//! Invariant: `awaited` holds one entry for each reply that the peer owes us, oldest first, so that a
//! reply can't be taken for another command's, pipelined or not.

mod awaited;
mod closing;
mod content;
mod extensions;
mod login;
mod opening;
mod parameters;
mod plan;
mod progress;
mod transaction;
mod wire;

use std::{collections::VecDeque, fmt, mem, sync::Arc, time::Duration};

pub use content::Framing;
pub use extensions::{Extensions, Limits};
pub use plan::{Plan, Protocol, StartTls, Timeouts};
pub use sasl::client::{Context, Credentials, Proof};
pub use transaction::Transaction;

pub use crate::extension::Features;

use crate::{
    outcome::{Cause, Outcome, Stage, Trouble},
    reply::{Reply, parse::ReplyReader},
    transcript::{Mark, TlsFacts, Transcript},
};
use awaited::Awaited;
use progress::Progress;
use wire::Wire;

/// One connection to a next hop.
pub struct Client {
    plan: Arc<Plan>,
    state: State,
    wire: Wire,
    deadline: Option<Deadline>,
    outputs: VecDeque<Output>,
    reader: ReplyReader,
    extensions: Extensions,
    used: Features,
    /// Offered and refused, in whichever transaction.
    refused: Features,
    refusal: Option<(Features, Reply)>,
    tls: Option<TlsFacts>,
    /// The login that is under way.
    login: Option<Box<login::Login>>,
    /// Where the opening ends in the transcript.
    opened: Mark,
    transactions: u32,
}

/// What the driver has to do, or to know.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Begin the TLS handshake now: `tls_established` or `tls_failed` tells how it went.
    StartTls,
    /// There are credentials: tell [`Client::sign_in`] what is known of the channel.
    SignIn,
    /// GSSAPI: find an answer for [`Client::gss_answered`].
    Gss(sasl::gss::Ask),
    /// SCRAM: have that worked out where it hurts nobody, and tell [`Client::salted`].
    Salt(sasl::scram::Salting),
    /// The session is open: `begin`, `command` or `quit`. Comes once.
    Ready,
    /// Send the content.
    Content(Framing),
    /// The transaction is over: what became of each recipient, in the envelope's order.
    /// Where no `Close` follows, the session can be used again.
    Finished(Vec<Outcome>),
    /// The reply to a `command`.
    Replied(Reply),
    /// The session came to nothing: at the greeting, EHLO, TLS or AUTH, or a `command` got no reply.
    Failed {
        /// Where and why.
        cause: Cause,
        /// Whether the next hop meant it for good (5yz to the greeting or to HELO). Credentials that
        /// are refused and TLS that fails are not: that can be mended without the message changing.
        permanent: bool,
    },
    /// Close the connection.
    Close,
}

enum State {
    Opening,
    Handshake {
        /// Octets that came in clear behind the reply to STARTTLS.
        discarded: usize,
    },
    Ready {
        /// A transaction was begun at the peer and not ended: RSET comes before the next.
        unfinished: bool,
        /// The next `command` answers a challenge: it is not written down.
        secret: bool,
    },
    Transacting(Progress),
    Quitting,
    Closed,
}

#[derive(Clone, Copy)]
struct Deadline {
    at: Duration,
    /// How long that is after the wait began.
    wait: Duration,
}

impl Client {
    /// A connection that was just opened (under implicit TLS: whose handshake is done). It waits for
    /// the greeting. `now` counts from an origin of the driver's choice, as everywhere.
    pub fn new(plan: Arc<Plan>, now: Duration) -> Self {
        let plain = plan.avoid.has(Features::ENHANCEDSTATUSCODES);
        let reader = ReplyReader::default();
        let reader = if plain { reader.without_statuses() } else { reader };
        let mut client = Self {
            plan,
            state: State::Opening,
            wire: Wire { now, awaited: VecDeque::from([Awaited::Greeting]), ..Wire::default() },
            deadline: None,
            outputs: VecDeque::new(),
            reader,
            extensions: Extensions::default(),
            used: Features::NONE,
            refused: Features::NONE,
            refusal: None,
            tls: None,
            login: None,
            opened: Mark::default(),
            transactions: 0,
        };
        client.rearm();
        client
    }

    /// Takes what the peer sent, in pieces of any size.
    pub fn feed(&mut self, now: Duration, octets: &[u8]) {
        self.wire.now = now;
        match &mut self.state {
            State::Handshake { discarded } => return *discarded += octets.len(),
            State::Closed => return,
            _ => self.reader.push(octets),
        }
        // The reader is put aside so that replies can be borrowed from it while they are handled.
        let mut reader = mem::take(&mut self.reader);
        let mut heard_any = false;
        while !matches!(self.state, State::Handshake { .. } | State::Closed) {
            match reader.take() {
                None => break,
                Some(Ok(heard)) => self.hear(&heard),
                Some(Err(trouble)) => {
                    self.note_rest(&reader);
                    reader.clear();
                    self.give_up(self.stage(), Trouble::Malformed(trouble.to_string()));
                }
            }
            heard_any = true;
        }
        if let State::Handshake { discarded } = &mut self.state {
            // What came in clear behind the `220` may be anybody's (RFC 3207 section 6).
            *discarded += reader.rest().len();
            reader.clear();
        }
        self.reader = reader;
        if heard_any {
            self.rearm();
        }
    }

    /// The driver's next task; `None` until something is called again.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What is to be written to the peer. The driver clears what it has written.
    pub fn commands(&mut self) -> &mut Vec<u8> {
        &mut self.wire.commands
    }

    /// When [`expire`](Self::expire) is due: the timeouts of RFC 5321 section 4.5.3.2.
    pub fn deadline(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.at)
    }

    /// The last EHLO reply, as parsed. After TLS, what came before it is forgotten (RFC 3207
    /// section 4.2).
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// What can be used here: offered, not to be avoided, not refused before, and allowed where it needs that.
    /// Before `begin`, the caller sees here whether the content must be converted (8BITMIME, BINARYMIME with
    /// CHUNKING, SMTPUTF8).
    pub fn usable(&self) -> Features {
        let barred = Features::OPT_IN.without(self.plan.allow);
        self.extensions.offered().without(self.plan.avoid).without(barred).without(self.refused)
    }

    /// The largest message that the next hop takes, unless SIZE is not to be believed here.
    pub(crate) fn size_max(&self) -> Option<u64> {
        self.extensions.size_max().filter(|_| self.usable().has(Features::SIZE))
    }

    /// What was used in the opening and in the newest transaction. Where that failed in a way that
    /// smells of a box in the path (silence, a close, nonsense), the next attempt may avoid one of them.
    /// PIPELINING is among them only if a group of commands was really written.
    pub fn used(&self) -> Features {
        self.used
    }

    /// What the peer offers and refused, in words that were not taken yet. The transaction went on without
    /// it, and the session does not ask again.
    pub fn take_refusal(&mut self) -> Option<(Features, Reply)> {
        self.refusal.take()
    }

    pub(crate) fn note_refusal(&mut self, feature: Features, reply: Reply) {
        self.refused = self.refused.with(feature);
        self.refusal = Some((feature, reply));
    }

    /// The opening of the session and its newest transaction: the evidence of that transaction.
    pub fn transcript(&self) -> &Transcript {
        &self.wire.transcript
    }

    /// Writes a remark of the driver's into the transcript: connected from where to where, and the like.
    pub fn note(&mut self, now: Duration, text: impl AsRef<[u8]>) {
        self.wire.now = now;
        self.wire.note(text);
    }

    /// What TLS came to, where it stands.
    pub fn tls(&self) -> Option<&TlsFacts> {
        self.tls.as_ref()
    }

    /// Whether a transaction can begin now. After as many as the next hop's MAILMAX allows, none can.
    pub fn is_reusable(&self) -> bool {
        self.is_idle() && !self.has_had_all()
    }

    /// Whether only the next hop's MAILMAX (RFC 9422) stands against another transaction: over a new
    /// connection there may be more.
    pub fn is_used_up(&self) -> bool {
        self.is_idle() && self.has_had_all()
    }

    fn is_idle(&self) -> bool {
        matches!(self.state, State::Ready { .. }) && self.wire.awaited.is_empty()
    }

    fn has_had_all(&self) -> bool {
        self.limits().mail_max.is_some_and(|most| self.transactions >= most)
    }

    /// The limits that the next hop names and that are kept (RFC 9422).
    pub fn limits(&self) -> Limits {
        match self.usable().has(Features::LIMITS) {
            true => self.extensions.limits(),
            false => Limits::default(),
        }
    }

    /// How many transactions were begun. A `421` or a close at MAIL of a second one is often only
    /// a session that idled too long: worth a fresh connection at once.
    pub fn transactions(&self) -> u32 {
        self.transactions
    }

    /// How this session was to behave.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Sets the deadline for what is awaited now.
    fn rearm(&mut self) {
        let timeouts = &self.plan.timeouts;
        let wait = match (self.wire.awaited.front(), &self.state) {
            (Some(awaited), _) => Some(awaited.timeout(timeouts)),
            (None, State::Handshake { .. }) => Some(timeouts.ehlo),
            (None, State::Transacting(_)) => Some(timeouts.content),
            (None, _) => None,
        };
        self.deadline = wait.map(|wait| Deadline { at: self.wire.now.saturating_add(wait), wait });
    }

    /// Where the dialogue stands: the stage of the oldest reply that is due.
    fn stage(&self) -> Stage {
        match (self.wire.awaited.front(), &self.state) {
            (Some(awaited), _) => awaited.stage(),
            (None, State::Handshake { .. }) => Stage::Tls,
            (None, State::Transacting(_)) => Stage::Content,
            (None, _) => Stage::Other,
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Opening => "Opening",
            State::Handshake { .. } => "Handshake",
            State::Ready { .. } => "Ready",
            State::Transacting(_) => "Transacting",
            State::Quitting => "Quitting",
            State::Closed => "Closed",
        };
        f.debug_struct("Client")
            .field("state", &state)
            .field("awaited", &self.wire.awaited)
            .field("extensions", &self.extensions)
            .field("used", &self.used)
            .finish_non_exhaustive()
    }
}
