//! Somebody in between, who would rather have it in clear: he takes STARTTLS out of the offer, refuses or
//! garbles it, breaks handshakes off, shows a certificate of his own, or slips a reply in before TLS.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{io::copy_bidirectional, time::timeout};
use world::{World, net::Connect};

use super::{ledger::Ledger, tls::Tls, wire::Wire};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    /// Passes everything on.
    Passes,
    Strips,
    Refuses,
    Garbles,
    Breaks,
    Pretends,
    /// A reply behind that to STARTTLS, in clear (RFC 3207 section 6).
    Injects,
}

/// He passes on half of the time, or no mail would ever go.
const MODES: [Mode; 12] = [
    Mode::Passes,
    Mode::Passes,
    Mode::Passes,
    Mode::Passes,
    Mode::Passes,
    Mode::Passes,
    Mode::Strips,
    Mode::Refuses,
    Mode::Garbles,
    Mode::Breaks,
    Mode::Pretends,
    Mode::Injects,
];

/// Who sits between our hosts and one of the peers.
pub struct Between {
    /// The domain.
    pub name: &'static str,
    /// Nobody should take him for the peer.
    pub is_verified: bool,
    pub world: World,
    /// Where the peer is.
    pub behind: SocketAddr,
    pub tls: Arc<Tls>,
    pub ledger: Ledger,
}

impl Between {
    /// Works for ever, on connections to `at`.
    pub async fn work(self, at: SocketAddr, mut random: fastrand::Rng) {
        let listener = self.world.net.listen(at).expect("nobody else listens");
        let own = Arc::new(self);
        while let Ok(stream) = listener.accept().await {
            let mode = MODES[random.usize(..MODES.len())];
            let own = own.clone();
            tokio::spawn(async move {
                own.ledger.note(&format!("in front of {} he {mode:?}", own.name));
                // However it ended, it ended.
                let _ended =
                    timeout(Duration::from_secs(7_200), own.meet(mode, Wire::new(stream))).await;
            });
        }
    }

    async fn meet(&self, mode: Mode, mut client: Wire) -> io::Result<()> {
        let connect = Connect { to: self.behind, source: None, timeout: Duration::from_secs(30) };
        let mut server = Wire::new(self.world.net.connect(connect).await?);
        let greeting = server.lines().await?;
        pass(&mut client, &greeting).await?;
        loop {
            let line = client.text().await?;
            match line.split(' ').next().unwrap_or_default().to_ascii_uppercase().as_str() {
                "STARTTLS" => return self.start_tls(mode, client, server, &line).await,
                "MAIL" => {
                    server.write(format!("{line}\r\n").as_bytes()).await?;
                    copy_bidirectional(&mut client.way, &mut server.way).await?;
                    return Ok(());
                }
                _ => {}
            }
            server.write(format!("{line}\r\n").as_bytes()).await?;
            let mut lines = server.lines().await?;
            if mode == Mode::Strips {
                lines.retain(|line| !line.ends_with("STARTTLS"));
            }
            pass(&mut client, &lines).await?;
        }
    }

    async fn start_tls(
        &self,
        mode: Mode,
        mut client: Wire,
        mut server: Wire,
        line: &str,
    ) -> io::Result<()> {
        match mode {
            Mode::Passes | Mode::Strips => {
                server.write(format!("{line}\r\n").as_bytes()).await?;
                let lines = server.lines().await?;
                pass(&mut client, &lines).await?;
            }
            Mode::Injects => {
                server.ask(line).await?;
                client.write(b"220 2.0.0 go ahead\r\n250-mx.test\r\n250 AUTH PLAIN\r\n").await?;
            }
            Mode::Refuses => {
                client.write(b"454 4.7.0 not for you\r\n").await?;
                // In clear then, if the client is foolish.
                copy_bidirectional(&mut client.way, &mut server.way).await?;
                return Ok(());
            }
            Mode::Garbles => {
                client.write(b"220 2.0.0 go ahead\r\n").await?;
                return client.write(b"\x16\x03\x03\x00\x05hello 250 nonsense\r\n").await;
            }
            Mode::Breaks => {
                client.write(b"220 2.0.0 go ahead\r\n").await?;
                client.exactly(20).await?;
                return Ok(());
            }
            Mode::Pretends => {
                client.write(b"220 2.0.0 go ahead\r\n").await?;
                return self.pretend(client.accept_tls(&self.tls.forged).await?).await;
            }
        }
        copy_bidirectional(&mut client.way, &mut server.way).await?;
        Ok(())
    }

    /// As if he were the peer. Where any certificate will do, he is not found out, and is in the way.
    async fn pretend(&self, mut client: Wire) -> io::Result<()> {
        loop {
            let line = client.text().await?;
            match line.split(' ').next().unwrap_or_default() {
                "EHLO" => client.write(b"250-mx.test\r\n250 AUTH PLAIN LOGIN\r\n").await?,
                "MAIL" | "AUTH"
                    if self.is_verified
                        && self.ledger.is_promised(self.name, self.ledger.now()) =>
                {
                    self.ledger
                        .breaks(format!("told `{line}` to who pretends to be {}", self.name));
                }
                "QUIT" => return client.write(b"221 2.0.0 bye\r\n").await,
                _ => client.write(b"451 4.7.0 not now\r\n").await?,
            }
        }
    }
}

async fn pass(to: &mut Wire, lines: &[String]) -> io::Result<()> {
    let text: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    to.write(text.as_bytes()).await
}
