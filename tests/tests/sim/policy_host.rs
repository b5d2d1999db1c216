//! The web server that hands an MTA-STS policy out (RFC 8461 section 3.3).

use std::{io, net::SocketAddr, sync::Arc};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use world::{World, net::Stream};

use super::{
    ledger::Ledger,
    map::{POLICY, POLICY_HOST},
    tls::Tls,
};

/// Serves for ever.
pub async fn serve(world: World, tls: Arc<Tls>, ledger: Ledger) {
    let at = SocketAddr::from((POLICY_HOST, 443));
    let listener = world.net.listen(at).expect("nobody else listens");
    while let Ok(stream) = listener.accept().await {
        let (tls, ledger) = (tls.clone(), ledger.clone());
        tokio::spawn(async move {
            let began = ledger.now();
            if hand_out(stream, &tls).await.is_ok() {
                ledger.note("the policy of sts.test was handed out");
                let mut inner = ledger.lock();
                let crashed = inner.crashes.iter().any(|&(at, who)| who == "delta" && at >= began);
                if !crashed && inner.policy_since.is_none() {
                    inner.policy_since = Some(ledger.now());
                }
            }
        });
    }
}

/// Until the client has closed of its own accord: then it has all of it.
async fn hand_out(stream: Stream, tls: &Tls) -> io::Result<()> {
    let mut stream = tls.honest.accept(stream).await?;
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await?);
    }
    let length = POLICY.len();
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(format!("{head}{POLICY}").as_bytes()).await?;
    stream.shutdown().await?;
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest).await {
        // Who has read all that was announced may close without a word of TLS; what is cut off is reset.
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
        _ => Ok(()),
    }
}
