//! Users who submit, at home and abroad; and those who pretend to be users: with wrong passwords, with
//! others' addresses, in clear, or with commands behind STARTTLS.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use tokio::time::timeout;
use world::{World, net::Connect};

use super::{
    client::{Errand, transact},
    ledger::Ledger,
    map::USERS,
    scram,
    tls::Tls,
    wire::Wire,
};

/// How somebody comes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Approach {
    /// STARTTLS, AUTH PLAIN, and a transaction.
    Plain,
    /// TLS from the beginning, AUTH LOGIN.
    Login,
    /// STARTTLS, AUTH SCRAM-SHA-256.
    Scram,
    /// By TLS alone, from a network that may relay there.
    Machine,
    /// Says all of it in clear.
    InClear,
    /// MAIL right behind STARTTLS, in one write.
    Injects,
    /// The right name, wrong passwords.
    Guesses,
    /// Signs in, and gives somebody else's address.
    Borrows,
    /// Doesn't sign in.
    Unknown,
}

pub const HONEST: [Approach; 4] =
    [Approach::Plain, Approach::Login, Approach::Scram, Approach::Machine];
pub const OTHERS: [Approach; 5] =
    [Approach::InClear, Approach::Injects, Approach::Guesses, Approach::Borrows, Approach::Unknown];

/// One who comes to delta.
pub struct Visitor {
    pub world: World,
    pub tls: Arc<Tls>,
    pub approach: Approach,
    pub ledger: Ledger,
    /// Which of [`USERS`].
    pub user: usize,
    /// At an address that only users come from.
    pub is_home: bool,
}

impl Visitor {
    pub async fn send(self, errand: Errand) {
        let number = errand.number;
        let ended = match timeout(Duration::from_secs(3_600), self.talk(errand)).await {
            Ok(Ok(())) => "done".to_owned(),
            Ok(Err(error)) => error.kind().to_string(),
            Err(_) => "no patience left".to_owned(),
        };
        self.ledger.note(&format!("{:?} with message {number}: {ended}", self.approach));
    }

    async fn talk(&self, errand: Errand) -> io::Result<()> {
        let port = match self.approach {
            Approach::Login => 465,
            Approach::Machine => 26,
            Approach::InClear if errand.number.is_multiple_of(2) => 26,
            _ => 587,
        };
        let to = SocketAddr::from(([10, 0, 0, 4], port));
        let connect = Connect { to, source: None, timeout: Duration::from_secs(60) };
        let mut wire = Wire::new(self.world.net.connect(connect).await?);
        if port == 465 {
            wire = wire.start_tls(&self.tls.client, "mx.d.test").await?;
        }
        wire.reply().await?;
        let (code, _) = wire.ask("EHLO client.test").await?;
        if code != 250 {
            return Ok(());
        }
        match self.approach {
            Approach::InClear => return self.in_clear(&mut wire, errand).await,
            Approach::Login => {}
            Approach::Injects => {
                let path = &errand.mail.reverse_path;
                let behind = format!("STARTTLS\r\nEHLO x\r\nMAIL FROM:<{path}>\r\n");
                wire.write(behind.as_bytes()).await?;
                if wire.reply().await?.0 != 220 {
                    return Ok(());
                }
                wire = wire.start_tls(&self.tls.client, "mx.d.test").await?;
                // What was injected would have its replies by now, or a transaction.
                let (code, line) =
                    wire.ask(&format!("RCPT TO:<{}>", errand.mail.recipients[0])).await?;
                if code < 400 {
                    self.ledger.breaks(format!("what came in clear counts in TLS: {line}"));
                }
                wire.ask("EHLO client.test").await?;
            }
            _ => {
                if wire.ask("STARTTLS").await?.0 != 220 {
                    return Ok(());
                }
                wire = wire.start_tls(&self.tls.client, "mx.d.test").await?;
                wire.ask("EHLO client.test").await?;
            }
        }
        self.sign_in_and_send(&mut wire, errand).await
    }

    async fn sign_in_and_send(&self, wire: &mut Wire, errand: Errand) -> io::Result<()> {
        match self.approach {
            Approach::Guesses => return self.guess(wire).await,
            Approach::Machine => return transact(wire, errand, &self.ledger).await,
            Approach::Unknown => return self.is_turned_away(wire, &errand).await,
            _ => {}
        }
        let (code, line) = self.sign_in(wire, errand.number).await?;
        self.judge_login(code, &line);
        if code != 235 {
            return wire.write(b"QUIT\r\n").await;
        }
        if self.approach == Approach::Borrows {
            return self.is_turned_away(wire, &errand).await;
        }
        transact(wire, errand, &self.ledger).await
    }

    async fn sign_in(&self, wire: &mut Wire, number: u32) -> io::Result<(u16, String)> {
        let (name, password, _) = USERS[self.user];
        match self.approach {
            Approach::Login => {
                wire.ask("AUTH LOGIN").await?;
                wire.ask(&STANDARD.encode(name)).await?;
                wire.ask(&STANDARD.encode(password)).await
            }
            Approach::Scram => {
                let nonce = format!("nonce{number}");
                scram::sign_in(wire, (name, password), &nonce, &self.ledger).await
            }
            _ => wire.ask(&plain(USERS[self.user])).await,
        }
    }

    /// Who has signed in at home is known there, and nothing that others do locks him out.
    fn judge_login(&self, code: u16, line: &str) {
        let now = self.ledger.now();
        if locked_for(line).is_some() && self.is_home {
            let known = self.ledger.lock().known.get(&self.user).copied();
            if known.is_some_and(|since| !self.ledger.forgot(since)) {
                let (name, ..) = USERS[self.user];
                self.ledger.breaks(format!("{name} is locked out at home: {line}"));
            }
        }
        let mut inner = self.ledger.lock();
        inner.logins += usize::from(code == 235);
        inner.scram += usize::from(code == 235 && self.approach == Approach::Scram);
        if code == 235 && self.is_home {
            inner.known.insert(self.user, now);
        }
    }

    /// No command of his may count, and no password may be asked for.
    async fn in_clear(&self, wire: &mut Wire, errand: Errand) -> io::Result<()> {
        // Nobody's: what is told in clear is no secret any more.
        let (code, line) = wire.ask(&plain(("carol@d.test", "told-in-clear", ""))).await?;
        if code < 400 {
            self.ledger.breaks(format!("AUTH in clear is answered with {line}"));
        }
        self.is_turned_away(wire, &errand).await
    }

    async fn guess(&self, wire: &mut Wire) -> io::Result<()> {
        let (name, ..) = USERS[self.user];
        for guess in ["12345", "", "password", "\0", "told-in-clear"] {
            let (code, line) = wire.ask(&plain((name, guess, ""))).await?;
            if code == 235 {
                self.ledger.breaks(format!("a wrong password is right: {line}"));
            }
            if code == 421 {
                return Ok(());
            }
        }
        Ok(())
    }

    /// A transaction that has to come to nothing: for want of TLS, AUTH, or an address of his own.
    async fn is_turned_away(&self, wire: &mut Wire, errand: &Errand) -> io::Result<()> {
        let mail = &errand.mail;
        self.ledger.lock().refused.extend(mail.recipients.iter().cloned());
        let (from, _) = wire.ask(&format!("MAIL FROM:<{}>", mail.reverse_path)).await?;
        let mut taken = false;
        for to in &mail.recipients {
            let (code, line) = wire.ask(&format!("RCPT TO:<{to}>")).await?;
            taken |= code == 250;
            if code == 250 {
                self.ledger.breaks(format!(
                    "{:?}: {to} from <{}> is taken: {line}",
                    self.approach, mail.reverse_path
                ));
            }
        }
        if from != 250 && taken {
            self.ledger.breaks("a recipient without a transaction".to_owned());
        }
        let (code, line) = wire.ask("DATA").await?;
        if code == 354 {
            self.ledger.breaks(format!("{:?}: content is asked for: {line}", self.approach));
        }
        wire.write(b"QUIT\r\n").await
    }
}

/// For how many milliseconds at least the reply says that somebody is locked.
pub fn locked_for(line: &str) -> Option<u64> {
    let rest = line.strip_prefix("454 4.7.0 too many failed logins, come back in ")?;
    let number = rest.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = rest.split_at(number);
    let unit = match unit.chars().next()? {
        's' => 1_000,
        'm' => 60_000,
        _ => 3_600_000,
    };
    // It is rounded up.
    Some((number.parse::<u64>().ok()? - 1) * unit)
}

pub fn plain((name, password, _): (&str, &str, &str)) -> String {
    format!("AUTH PLAIN {}", STANDARD.encode(format!("\0{name}\0{password}")))
}
