//! Fetching a policy: `https://mta-sts.DOMAIN/.well-known/mta-sts.txt` (RFC 8461 section 3.3), over our
//! own TLS. Redirects are not followed, caches of HTTP not asked, and there are limits of size and time.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use world::{World, net::Connect};

use super::{NotAPolicy, StsPolicy, http};
use crate::{
    policy::TlsResult,
    tls::{self, ClientTls, Verify},
    wire::Wire,
};

/// Section 3.3 advises both.
const SIZE_MAX: usize = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(60);
const CONNECT_PATIENCE: Duration = Duration::from_secs(20);
/// Addresses of the web server that are tried.
const ADDRESSES_MAX: usize = 4;

/// Why a policy can't be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// No connection, no answer, or another answer than a policy.
    #[error("{0}")]
    Fetch(String),
    /// The web server's certificate.
    #[error("the web server `{host}`: {why}")]
    Certificate {
        /// `mta-sts.DOMAIN`.
        host: String,
        /// In one clause.
        why: String,
    },
    /// What came is no policy.
    #[error("what `{host}` serves is no policy: {source}")]
    Policy {
        /// `mta-sts.DOMAIN`.
        host: String,
        /// Why not.
        source: NotAPolicy,
    },
}

impl FetchError {
    /// As TLS reports call it.
    pub fn result(&self) -> TlsResult {
        match self {
            Self::Fetch(_) => TlsResult::StsPolicyFetchError,
            Self::Certificate { .. } => TlsResult::StsWebpkiInvalid,
            Self::Policy { .. } => TlsResult::StsPolicyInvalid,
        }
    }
}

/// Fetches the policy of a domain, in A-labels. `port` is 443 but in tests.
///
/// # Errors
/// Why there is none.
pub async fn fetch(
    world: &World,
    tls: &ClientTls,
    domain: &str,
    port: u16,
) -> Result<(StsPolicy, String), FetchError> {
    let host = format!("mta-sts.{domain}");
    let fetched = timeout(PATIENCE, get(world, tls, &host, port)).await;
    let body = fetched.unwrap_or_else(|_| {
        Err(FetchError::Fetch(format!("`{host}` did not answer in {}s", PATIENCE.as_secs())))
    })?;
    let text = String::from_utf8_lossy(&body).into_owned();
    match StsPolicy::parse(&text) {
        Ok(policy) => Ok((policy, text)),
        Err(source) => Err(FetchError::Policy { host, source }),
    }
}

async fn get(world: &World, tls: &ClientTls, host: &str, port: u16) -> Result<Vec<u8>, FetchError> {
    let found = world.dns.addresses(host).await;
    let addresses = found.map_err(|error| FetchError::Fetch(error.to_string()))?.records;
    let mut trouble = FetchError::Fetch(format!("`{host}` has no address"));
    for address in addresses.into_iter().take(ADDRESSES_MAX) {
        let to = SocketAddr::new(address, port);
        match world.net.connect(Connect { to, source: None, timeout: CONNECT_PATIENCE }).await {
            Ok(stream) => {
                let verify = Verify::Require { names: Vec::new() };
                let (wire, _, _) =
                    tls::connect(stream, tls, host, &verify).await.map_err(|broken| {
                        let (host, why) = (host.to_owned(), broken.why);
                        match broken.is_about_certificate {
                            true => FetchError::Certificate { host, why },
                            false => FetchError::Fetch(format!("`{host}` at {to}: {why}")),
                        }
                    })?;
                return exchange(wire, host).await;
            }
            Err(error) => {
                trouble = FetchError::Fetch(format!("cannot connect to `{host}` at {to}: {error}"));
            }
        }
    }
    Err(trouble)
}

async fn exchange(mut wire: Wire, host: &str) -> Result<Vec<u8>, FetchError> {
    let failed = |why: String| FetchError::Fetch(format!("`{host}`: {why}"));
    let request = format!(
        "GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: {host}\r\nAccept: text/plain\r\n\
         User-Agent: Mailwright\r\nConnection: close\r\n\r\n"
    );
    let network = |error: io::Error| failed(error.to_string());
    wire.write_all(request.as_bytes()).await.map_err(network)?;
    wire.flush().await.map_err(network)?;
    let mut octets = Vec::new();
    let response = loop {
        let mut piece = [0; 4096];
        let ended = match wire.read(&mut piece).await {
            Ok(0) => true,
            // Cut off without a `close_notify`, as web servers do: the length tells whether it is whole.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => true,
            Ok(count) => {
                octets.extend_from_slice(&piece[..count]);
                false
            }
            Err(error) => return Err(network(error)),
        };
        if let Some(response) = http::read(&octets, ended).map_err(failed)? {
            break response;
        }
        if octets.len() > SIZE_MAX {
            return Err(failed(format!("its answer is longer than {SIZE_MAX} octets")));
        }
    };
    judge(response, host)
}

fn judge(response: http::Response, host: &str) -> Result<Vec<u8>, FetchError> {
    let http::Response { status, content_type, body } = response;
    let why = match (status, content_type.as_str()) {
        (200, "text/plain") if body.len() <= SIZE_MAX => return Ok(body),
        (200, "text/plain") => format!("its policy is longer than {SIZE_MAX} octets"),
        (200, "") => "its answer has no Content-Type, where text/plain is asked for".to_owned(),
        (200, other) => {
            let other: String = other.chars().filter(|c| !c.is_control()).take(60).collect();
            format!("its answer is `{other}`, where text/plain is asked for")
        }
        (300..=399, _) => format!("it answers {status}, and redirects are not followed"),
        _ => format!("it answers {status}"),
    };
    Err(FetchError::Fetch(format!("`{host}`: {why}")))
}
