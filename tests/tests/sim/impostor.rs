//! Somebody who guesses at passwords until the guard locks him out, and then tries the right one: from an
//! address, and a network, that no user ever comes from.

use std::{collections::BTreeMap, io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};
use world::{World, net::Connect};

use super::{
    ledger::Ledger,
    map::USERS,
    scram,
    tls::Tls,
    user::{locked_for, plain},
    wire::Wire,
};

/// His own machine, and what he was told.
pub struct Impostor {
    pub world: World,
    pub tls: Arc<Tls>,
    pub ledger: Ledger,
    pub random: fastrand::Rng,
    /// Who is locked for him: since when, and until when.
    pub locked: BTreeMap<&'static str, (u64, u64)>,
}

impl Impostor {
    /// Comes now and then until `until`, in milliseconds since the world began.
    pub async fn work(mut self, until: u64) {
        while self.ledger.now() < until {
            sleep(Duration::from_secs(self.random.u64(7_200..40_000))).await;
            // The limit of errors ends a session sooner than the guard locks.
            for _ in 0..self.random.u32(4..9) {
                let ended = timeout(Duration::from_secs(3_600), self.session()).await;
                self.ledger.note(&format!("an impostor has guessed: {ended:?}"));
                // A lock is to last, and not for the next moments only.
                if !self.locked.is_empty() {
                    sleep(Duration::from_secs(self.random.u64(0..240))).await;
                }
            }
        }
    }

    async fn session(&mut self) -> io::Result<()> {
        let to = SocketAddr::from(([10, 0, 0, 4], 587));
        let connect = Connect { to, source: None, timeout: Duration::from_secs(60) };
        let mut wire = Wire::new(self.world.net.connect(connect).await?);
        wire.reply().await?;
        wire.ask("EHLO impostor.test").await?;
        if wire.ask("STARTTLS").await?.0 != 220 {
            return Ok(());
        }
        wire = wire.start_tls(&self.tls.client, "mx.d.test").await?;
        wire.ask("EHLO impostor.test").await?;
        for _ in 0..self.random.u32(1..12) {
            let (name, password, _) = USERS[self.random.usize(..2)];
            let is_locked = self.is_locked(name);
            // He would not know it; that it helps him nothing is what is to be seen.
            let right = is_locked && self.random.bool();
            let guess = if right { password.to_owned() } else { self.random.u32(..99).to_string() };
            let (code, line) = self.sign_in(&mut wire, name, &guess).await?;
            let now = self.ledger.now();
            self.ledger.lock().kept_out += usize::from(right && code != 235);
            if code == 235 {
                self.ledger.breaks(format!("an impostor, locked {is_locked}, is {name}: {line}"));
                return Ok(());
            }
            if let Some(wait) = locked_for(&line) {
                self.locked.entry(name).or_insert((now, now + wait));
            }
        }
        let (code, line) = wire.ask("MAIL FROM:<anna@d.test>").await?;
        if code < 400 {
            self.ledger.breaks(format!("an impostor sends mail: {line}"));
        }
        wire.write(b"QUIT\r\n").await
    }

    async fn sign_in(
        &mut self,
        wire: &mut Wire,
        name: &str,
        guess: &str,
    ) -> io::Result<(u16, String)> {
        if self.random.bool() {
            return wire.ask(&plain((name, guess, ""))).await;
        }
        let nonce = format!("impostor{}", self.random.u32(..));
        scram::sign_in(wire, (name, guess), &nonce, &self.ledger).await
    }

    /// A crash right behind the lock may have undone it: within a second it is written (docs/accounts.md).
    fn is_locked(&mut self, name: &'static str) -> bool {
        let now = self.ledger.now();
        let Some(&(since, until)) = self.locked.get(name) else { return false };
        let is_locked = now < until && !self.ledger.forgot(since);
        if !is_locked {
            self.locked.remove(name);
        }
        is_locked
    }
}
