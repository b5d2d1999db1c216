//! Clients: honest ones, strangers that try to relay, and those that go away in the middle.

use std::{io, net::SocketAddr, time::Duration};

use tokio::time::timeout;
use world::{World, net::Connect};

use super::{
    ledger::{Body, Ledger, Mail},
    map::is_new,
    wire::Wire,
};

/// How a client behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Manner {
    /// Command, reply, command.
    Polite,
    /// MAIL, RCPTs and DATA in one write.
    Pipelined,
    /// In chunks, pipelined.
    Chunked,
    /// RSET after the recipients, then all over again.
    Resets,
    /// Gone in the middle of the content.
    Aborts,
    /// Gone right after the end of the content.
    Hangs,
}

pub const MANNERS: [Manner; 6] = [
    Manner::Polite,
    Manner::Pipelined,
    Manner::Chunked,
    Manner::Resets,
    Manner::Aborts,
    Manner::Hangs,
];

/// One message to be sent.
pub struct Errand {
    pub number: u32,
    pub mail: Mail,
    pub manner: Manner,
    /// Forward-paths that are nobody's but tricks to be relayed: with the others in the transaction.
    pub tricks: Vec<String>,
    /// Who sends it may relay there.
    pub may_relay: bool,
}

/// Tries once. What the server said `250` to is in the ledger.
pub async fn send(world: World, to: SocketAddr, errand: Errand, ledger: Ledger) {
    let number = errand.number;
    let talk = async {
        let connect = Connect { to, source: None, timeout: Duration::from_secs(60) };
        let mut wire = Wire::new(world.net.connect(connect).await?);
        talk(&mut wire, errand, &ledger).await
    };
    let ended = match timeout(Duration::from_secs(1_800), talk).await {
        Ok(Ok(())) => "done".to_owned(),
        Ok(Err(error)) => error.kind().to_string(),
        Err(_) => "no patience left".to_owned(),
    };
    ledger.note(&format!("client of message {number}: {ended}"));
}

/// ETRN at alpha. What is to wait for its time waits all the same.
pub async fn start_queue(world: World, is_known: bool, node: &str, ledger: Ledger) {
    let talk = async {
        let to = SocketAddr::from(([10, 0, 0, 1], 25));
        let connect = Connect { to, source: None, timeout: Duration::from_secs(60) };
        let mut wire = Wire::new(world.net.connect(connect).await?);
        wire.reply().await?;
        wire.ask("EHLO client.test").await?;
        let (code, line) = wire.ask(&format!("ETRN {node}")).await?;
        ledger.note(&format!("ETRN {node}, known {is_known}: {line}"));
        if code < 300 && !is_known {
            ledger.breaks(format!("a stranger starts a queue: {line}"));
        }
        wire.write(b"QUIT\r\n").await
    };
    if timeout(Duration::from_secs(600), talk).await.map_or(true, |done| done.is_err()) {
        ledger.note("ETRN was not heard");
    }
}

async fn talk(wire: &mut Wire, errand: Errand, ledger: &Ledger) -> io::Result<()> {
    wire.reply().await?;
    wire.ask("EHLO client.test").await?;
    transact(wire, errand, ledger).await
}

/// One transaction, then QUIT: in a session that may begin one.
pub async fn transact(wire: &mut Wire, errand: Errand, ledger: &Ledger) -> io::Result<()> {
    let Errand { number, mut mail, manner, tricks, may_relay } = errand;
    if manner == Manner::Resets {
        wire.write(format!("MAIL FROM:<{}>\r\nRSET\r\n", mail.reverse_path).as_bytes()).await?;
        wire.reply().await?;
        wire.reply().await?;
    }
    let pipelined = matches!(manner, Manner::Pipelined | Manner::Chunked);
    let asked = std::mem::take(&mut mail.recipients);
    let mut commands = vec![format!("MAIL FROM:<{}>{}\r\n", mail.reverse_path, wishes(&mail))];
    commands.extend(asked.iter().map(|to| format!("RCPT TO:<{to}>{}\r\n", mail.wishes_of_each)));
    commands.extend(tricks.iter().map(|to| format!("RCPT TO:<{to}>\r\n")));
    if pipelined {
        wire.write(commands.concat().as_bytes()).await?;
    }
    for (index, command) in commands.iter().enumerate() {
        if !pipelined {
            wire.write(command.as_bytes()).await?;
        }
        let (code, line) = wire.reply().await?;
        let Some(index) = index.checked_sub(1) else { continue };
        let Some(to) = asked.get(index) else {
            if code == 250 {
                ledger.lock().broken.push(format!("a stranger may relay by {command}"));
            }
            continue;
        };
        if code == 250 && mail.wishes_of_each.contains("RRVS") && is_new(to) {
            ledger.breaks(format!("{to} is another's mailbox now, and is taken"));
        }
        if may_relay && line.starts_with("550 5.7.1 no relaying to that domain") {
            ledger.breaks(format!("who may relay may not send to {to}: {line}"));
        }
        if code == 250 {
            mail.recipients.push(to.clone());
        } else {
            ledger.note(&format!("{to} refused: {line}"));
            ledger.lock().refused.insert(to.clone());
        }
    }
    if mail.recipients.is_empty() {
        return wire.write(b"QUIT\r\n").await;
    }
    if manner != Manner::Chunked {
        wire.write(b"DATA\r\n").await?;
        if wire.reply().await?.0 != 354 {
            return wire.write(b"QUIT\r\n").await;
        }
    }
    if manner == Manner::Aborts {
        let framed = framed(&mail.content, false);
        return wire.write(&framed[..framed.len() / 2]).await;
    }
    let now = ledger.now();
    ledger.lock().ended.insert(number, now);
    wire.write(&framed(&mail.content, manner == Manner::Chunked)).await?;
    if manner == Manner::Hangs {
        return Ok(());
    }
    let (mut code, mut line) = wire.reply().await?;
    if manner == Manner::Chunked && code == 250 {
        (code, line) = wire.reply().await?;
    }
    if code == 250 {
        ledger.note(&format!("message {number} acknowledged: {line}"));
        ledger.lock().acknowledged.insert(number, mail);
    } else if (400..600).contains(&code) {
        ledger.note(&format!("message {number} is turned away: {line}"));
        let now = ledger.now();
        ledger.lock().turned_away.insert(number, now);
    }
    wire.write(b"QUIT\r\n").await?;
    wire.reply().await?;
    Ok(())
}

/// What it asks for in MAIL.
fn wishes(mail: &Mail) -> String {
    let hold = mail.hold.map(|seconds| format!(" HOLDFOR={seconds}"));
    let by = mail.by.map(|seconds| format!(" BY={seconds};R"));
    let body = match mail.body {
        Body::Seven => None,
        Body::Eight => Some(" BODY=8BITMIME".to_owned()),
        Body::Binary => Some(" BODY=BINARYMIME".to_owned()),
    };
    [hold, by, body, Some(mail.wishes.clone())].into_iter().flatten().collect()
}

/// The content with its end: dots stuffed, or in two chunks.
pub fn framed(content: &[u8], chunked: bool) -> Vec<u8> {
    if chunked {
        let (first, rest) = content.split_at(content.len() / 2);
        let head = format!("BDAT {}\r\n", first.len());
        let next = format!("BDAT {} LAST\r\n", rest.len());
        return [head.as_bytes(), first, next.as_bytes(), rest].concat();
    }
    let mut framed = Vec::with_capacity(content.len() + 64);
    for line in content.split_inclusive(|&octet| octet == b'\n') {
        if line.starts_with(b".") {
            framed.push(b'.');
        }
        framed.extend_from_slice(line);
    }
    framed.extend_from_slice(b".\r\n");
    framed
}
