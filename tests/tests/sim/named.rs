//! Proxies in front of alpha, who say whose connection they hand on (XCLIENT, and both versions of the PROXY
//! protocol), and strangers who pretend to be some. One of the proxies may relay itself, the other may not:
//! so what counts is seen to be the client's right and not theirs.

use std::{io, net::SocketAddr, time::Duration};

use tokio::time::timeout;
use world::{World, net::Connect};

use super::{
    client::{Errand, transact},
    ledger::Ledger,
    wire::Wire,
};

/// Where alpha believes proxies.
pub const XCLIENT: u16 = 2_500;
pub const PROXY: u16 = 2_501;

/// How a client is named.
#[derive(Clone, Copy, Debug)]
pub enum Naming {
    Xclient,
    First,
    Second,
}

pub const NAMINGS: [Naming; 3] = [Naming::Xclient, Naming::First, Naming::Second];

/// Somebody who speaks for another.
pub struct Proxy {
    pub world: World,
    pub ledger: Ledger,
    /// He is one of alpha's proxies.
    pub is_believed: bool,
    pub naming: Naming,
    /// Whom he names.
    pub client: [u8; 4],
}

impl Proxy {
    pub async fn send(self, errand: Errand) {
        let number = errand.number;
        let ended = match timeout(Duration::from_secs(1_800), self.talk(errand)).await {
            Ok(Ok(())) => "done".to_owned(),
            Ok(Err(error)) => error.kind().to_string(),
            Err(_) => "no patience left".to_owned(),
        };
        self.ledger.note(&format!("{:?} with message {number}: {ended}", self.naming));
    }

    async fn talk(&self, errand: Errand) -> io::Result<()> {
        let port = if matches!(self.naming, Naming::Xclient) { XCLIENT } else { PROXY };
        let to = SocketAddr::from(([10, 0, 0, 1], port));
        let connect = Connect { to, source: None, timeout: Duration::from_secs(60) };
        let mut wire = Wire::new(self.world.net.connect(connect).await?);
        match self.naming {
            Naming::Xclient => {
                wire.reply().await?;
                wire.ask("EHLO proxy.test").await?;
                let [a, b, c, d] = self.client;
                let (code, line) =
                    wire.ask(&format!("XCLIENT ADDR={a}.{b}.{c}.{d} NAME=client.test")).await?;
                self.judge(code, &line);
            }
            Naming::First | Naming::Second => {
                wire.write(&self.header()).await?;
                wire.reply().await?;
            }
        }
        if !self.is_believed && !matches!(self.naming, Naming::Xclient) {
            return self.is_himself(&mut wire, errand.number).await;
        }
        wire.ask("EHLO client.test").await?;
        transact(&mut wire, errand, &self.ledger).await
    }

    /// His header is so many bad commands. Whatever is answered to those that come behind them, none of it is what
    /// whom he named would hear.
    async fn is_himself(&self, wire: &mut Wire, number: u32) -> io::Result<()> {
        let to = format!("t{number}r99@good.test");
        self.ledger.lock().refused.insert(to.clone());
        let commands = format!(
            "EHLO client.test\r\nMAIL FROM:<s{number}@a.test>\r\nRCPT TO:<{to}>\r\nRSET\r\nQUIT\r\n"
        );
        wire.write(commands.as_bytes()).await?;
        loop {
            let (code, line) = wire.reply().await?;
            if line.starts_with("250 2.1.5") {
                self.judge(code, &line);
            }
        }
    }

    fn judge(&self, code: u16, line: &str) {
        if self.is_believed != (code < 400) && code != 421 {
            let (naming, client) = (self.naming, self.client);
            let who = if self.is_believed { "a proxy" } else { "a stranger" };
            self.ledger.breaks(format!("{who} names {client:?} by {naming:?}: {line}"));
        }
    }

    fn header(&self) -> Vec<u8> {
        let [a, b, c, d] = self.client;
        if let Naming::First = self.naming {
            return format!("PROXY TCP4 {a}.{b}.{c}.{d} 10.0.0.1 4711 25\r\n").into_bytes();
        }
        let head = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c";
        [&head[..], &self.client, &[10, 0, 0, 1, 0x12, 0x67, 0, 25]].concat()
    }
}
