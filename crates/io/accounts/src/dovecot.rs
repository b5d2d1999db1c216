//! Dovecot's auth service, by its client protocol (doc.dovecot.org, "Dovecot Authentication Protocol
//! v1.2"): lines of fields with tabs between them.
//!
//! One connection carries all logins; each has a number. Whatever mechanism Dovecot has can be relayed
//! step by step ([`Relay`]): it is Dovecot that knows the user's secrets, we only carry octets. A
//! connection that broke is made anew by the next login; logins that were under way on it are lost, which
//! the clients hear as 454.
//!
//! Dovecot holds refusals back itself (`auth_failure_delay`), and is told the client's address.

mod connection;
// Open to the fuzz targets.
#[doc(hidden)]
pub mod line;

use std::sync::{Arc, Mutex, PoisonError};

use base64::{Engine, engine::general_purpose::STANDARD};
use sasl::{Mechanism, Mechanisms};
use tokio::time::timeout;
use world::World;

use self::{
    connection::{Connection, Lost},
    line::Line,
};
use crate::{Account, Verdict, Visit, saslauthd::silent, settings::DovecotSettings};

/// A back end.
pub struct Dovecot {
    settings: DovecotSettings,
    world: World,
    connection: tokio::sync::Mutex<Option<Arc<Connection>>>,
    /// What it offered when it was last seen.
    offered: Mutex<Mechanisms>,
}

/// A login that Dovecot looks at.
pub struct Relay {
    dovecot: Arc<Dovecot>,
    mechanism: Mechanism,
    visit: Visit,
    /// The connection it goes over, and its number there, once it has begun.
    way: Option<(Arc<Connection>, u32)>,
}

/// What Dovecot says to one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// For the client.
    Challenge(Vec<u8>),
    /// It is he; the rest is for the client as well.
    Done(Account, Option<Vec<u8>>),
    /// It is not.
    No {
        /// Whom Dovecot took him for.
        user: Option<String>,
        /// Why, for the operator.
        why: String,
    },
    /// It can't tell now.
    Unavailable(String),
}

impl Dovecot {
    /// Not connected yet.
    pub fn new(world: World, settings: DovecotSettings) -> Self {
        // What any Dovecot has, as long as none was seen.
        let offered = Mutex::new(Mechanisms::BY_PASSWORD);
        Self { settings, world, connection: tokio::sync::Mutex::default(), offered }
    }

    /// Connects, to learn what it offers.
    ///
    /// # Errors
    /// Why that is not known.
    pub async fn prepare(&self) -> Result<Mechanisms, String> {
        match timeout(self.settings.patience, self.connected()).await {
            Ok(Ok(_)) => Ok(self.mechanisms()),
            Ok(Err(why)) => Err(why),
            Err(_) => Err(silent(&self.place(), self.settings.patience)),
        }
    }

    /// What it offered when it was last seen; what every one has before that.
    pub fn mechanisms(&self) -> Mechanisms {
        *self.offered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Is it his password?
    pub async fn verify(self: &Arc<Self>, visit: &Visit, name: &str, password: &str) -> Verdict {
        if name.contains('\0') || password.contains('\0') {
            return Verdict::no("neither name nor password may have a NUL in it");
        }
        let mut relay = Relay::new(self.clone(), Mechanism::Plain, visit.clone());
        match relay.begin(Some(format!("\0{name}\0{password}").as_bytes())).await {
            Step::Done(account, _) => Verdict::Yes(account),
            Step::No { why, .. } => Verdict::No { why, is_known: false },
            Step::Unavailable(why) => Verdict::Unavailable(why),
            Step::Challenge(_) => {
                relay.cancel().await;
                Verdict::Unavailable(format!("{} asks back, with PLAIN", self.place()))
            }
        }
    }

    fn place(&self) -> String {
        match self.settings.address {
            Some(address) => format!("Dovecot at {address}"),
            None => format!("Dovecot at {}", self.settings.socket.display()),
        }
    }

    /// The connection, made anew if the last one is lost.
    async fn connected(&self) -> Result<Arc<Connection>, String> {
        let mut place = self.connection.lock().await;
        if let Some(connection) = place.as_ref().filter(|connection| connection.is_open()) {
            return Ok(connection.clone());
        }
        let made = Connection::open(&self.world, &self.settings).await;
        let (connection, offered) = made.map_err(|why| format!("{}: {why}", self.place()))?;
        *self.offered.lock().unwrap_or_else(PoisonError::into_inner) = offered;
        let connection = Arc::new(connection);
        *place = Some(connection.clone());
        Ok(connection)
    }
}

impl Relay {
    /// Whether a challenge means that what the client brought is refused: a token is all that it has to say, and
    /// is told why it won't do (RFC 7628 section 3.2.3).
    pub fn refuses_by_challenge(&self, challenge: &[u8]) -> bool {
        let by_token = matches!(self.mechanism, Mechanism::OAuthBearer | Mechanism::XOAuth2);
        by_token && !challenge.is_empty()
    }

    /// About to begin.
    pub fn new(dovecot: Arc<Dovecot>, mechanism: Mechanism, visit: Visit) -> Self {
        Self { dovecot, mechanism, visit, way: None }
    }

    /// The client named the mechanism, perhaps with its first response.
    pub async fn begin(&mut self, initial: Option<&[u8]>) -> Step {
        let patience = self.dovecot.settings.patience;
        let begun = timeout(patience, self.begin_on_some(initial)).await;
        begun.unwrap_or_else(|_| Step::Unavailable(silent(&self.dovecot.place(), patience)))
    }

    /// The client's response to the last challenge.
    pub async fn respond(&mut self, response: &[u8]) -> Step {
        let Some((connection, id)) = self.way.clone() else {
            return Step::Unavailable("the exchange with Dovecot is over".to_owned());
        };
        let line = format!("CONT\t{id}\t{}\n", STANDARD.encode(response));
        let patience = self.dovecot.settings.patience;
        match timeout(patience, connection.ask(id, &line)).await {
            Ok(Ok(line)) => self.step(&line),
            Ok(Err(Lost)) => Step::Unavailable(self.lost()),
            Err(_) => Step::Unavailable(silent(&self.dovecot.place(), patience)),
        }
    }

    /// The client has no wish to go on.
    pub async fn cancel(&mut self) {
        if let Some((connection, id)) = self.way.take() {
            connection.cancel(id).await;
        }
    }

    async fn begin_on_some(&mut self, initial: Option<&[u8]>) -> Step {
        // A connection that had died without our notice: once more on a new one, as nothing was said yet.
        for _ in 0..2 {
            let connection = match self.dovecot.connected().await {
                Ok(connection) => connection,
                Err(why) => return Step::Unavailable(why),
            };
            let id = connection.number();
            let line = line::auth(id, self.mechanism, &self.visit, initial);
            match connection.ask(id, &line).await {
                Ok(line) => {
                    self.way = Some((connection, id));
                    return self.step(&line);
                }
                Err(Lost) => connection.close(),
            }
        }
        Step::Unavailable(self.lost())
    }

    fn step(&mut self, line: &Line) -> Step {
        let resp = |text: Option<&str>| text.and_then(|text| STANDARD.decode(text).ok());
        match line.word() {
            "CONT" => match resp(line.at(2).or(Some(""))) {
                Some(challenge) => Step::Challenge(challenge),
                None => Step::Unavailable(format!("{}: no base64", self.dovecot.place())),
            },
            "OK" => {
                self.way = None;
                match line.value("user") {
                    Some(user) => {
                        let account = Account { name: user.to_owned(), ..Account::default() };
                        Step::Done(account, resp(line.value("resp")))
                    }
                    None => Step::Unavailable(format!("{}: OK for nobody", self.dovecot.place())),
                }
            }
            "FAIL" => {
                self.way = None;
                self.refused(line)
            }
            other => Step::Unavailable(format!("{}: `{other}`", self.dovecot.place())),
        }
    }

    fn refused(&self, line: &Line) -> Step {
        let code = line.value("code").unwrap_or_default();
        let reason = line.value("reason").unwrap_or(code);
        let said = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        if line.has("temp") || code == "temp_fail" {
            return Step::Unavailable(format!("{} can't tell now{said}", self.dovecot.place()));
        }
        let why = match () {
            () if line.has("user_disabled") || code == "user_disabled" => "the user is disabled",
            () if line.has("pass_expired") || code == "pass_expired" => "the password has expired",
            () if line.has("authz") || code == "authz_fail" => "he may not act as another",
            () => "wrong",
        };
        let user = line.value("user").map(str::to_owned);
        Step::No { user, why: format!("{} says no: {why}{said}", self.dovecot.place()) }
    }

    fn lost(&self) -> String {
        format!("{} closed the connection", self.dovecot.place())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some((connection, id)) = self.way.take() {
            connection.forget(id);
        }
    }
}
