//! Fetching over HTTP/1.1: one request, one response, one connection, over our own TLS.
//!
//! For policies (RFC 8461), keys and tokens (RFC 7517, RFC 7662): small documents of servers that the
//! configuration or a standard names. Redirects are not followed, caches not asked, and there are limits
//! of size and, by the caller's clock, of time.

mod response;
mod url;

use std::{fmt::Write as _, io, net::SocketAddr, time::Duration};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use world::{World, net::Connect};

pub use response::Response;
pub use url::{NotAUrl, Url};

use crate::{
    tls::{self, ClientTls, Verify},
    wire::Wire,
};

const CONNECT_PATIENCE: Duration = Duration::from_secs(20);
/// Addresses of a web server that are tried.
const ADDRESSES_MAX: usize = 4;

/// What is asked for.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Where.
    pub url: &'a Url,
    /// What it may come as.
    pub accept: &'a str,
    /// Who we are: the value of `Authorization`, a secret.
    pub authorization: Option<&'a str>,
    /// A form to be posted.
    pub form: Option<&'a str>,
    /// A document to be posted, and its media type; without that or a form it is a GET.
    pub document: Option<(&'a str, &'a [u8])>,
    /// Octets of response that are read.
    pub size_max: usize,
}

impl<'a> Request<'a> {
    /// A plain one.
    pub fn get(url: &'a Url) -> Self {
        Self {
            url,
            accept: "*/*",
            authorization: None,
            form: None,
            document: None,
            size_max: 64 * 1024,
        }
    }

    /// One that hands a document in.
    pub fn post(url: &'a Url, media_type: &'a str, document: &'a [u8]) -> Self {
        Self { document: Some((media_type, document)), ..Self::get(url) }
    }

    fn posted(&self) -> Option<(&'a str, &'a [u8])> {
        let form = self.form.map(|form| ("application/x-www-form-urlencoded", form.as_bytes()));
        self.document.or(form)
    }

    fn head(&self) -> String {
        let Url { path, .. } = self.url;
        let posted = self.posted();
        let method = if posted.is_some() { "POST" } else { "GET" };
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAccept: {}\r\nUser-Agent: Mailwright\r\n\
             Connection: close\r\n",
            self.url.authority(),
            self.accept
        );
        if let Some(authorization) = self.authorization {
            let _infallible = write!(head, "Authorization: {authorization}\r\n");
        }
        if let Some((kind, document)) = posted {
            let length = document.len();
            let _infallible = write!(head, "Content-Type: {kind}\r\nContent-Length: {length}\r\n");
        }
        head + "\r\n"
    }
}

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{host}`: {why}")]
pub struct HttpError {
    /// Whose server.
    pub host: String,
    /// In one clause.
    pub why: String,
    /// Whether it was the server's certificate.
    pub is_about_certificate: bool,
}

/// Asks, and reads the response whole, whatever its status.
///
/// # Errors
/// No connection, no TLS, no HTTP, or too long.
pub async fn fetch(
    world: &World,
    tls: &ClientTls,
    request: &Request<'_>,
) -> Result<Response, HttpError> {
    let host = request.url.host.as_str();
    let failed =
        |why: String| HttpError { host: host.to_owned(), why, is_about_certificate: false };
    let mut trouble = "it has no address".to_owned();
    for address in addresses(world, host).await.map_err(failed)?.into_iter().take(ADDRESSES_MAX) {
        let to = SocketAddr::new(address, request.url.port);
        match world.net.connect(Connect { to, source: None, timeout: CONNECT_PATIENCE }).await {
            Ok(stream) if request.url.is_encrypted => {
                let verify = Verify::Require { names: Vec::new() };
                let connected = tls::connect(stream, tls, host, &verify).await;
                let (wire, _, _) = connected.map_err(|broken| HttpError {
                    is_about_certificate: broken.is_about_certificate,
                    ..failed(broken.why)
                })?;
                return exchange(wire, request).await.map_err(failed);
            }
            Ok(stream) => return exchange(Wire::Plain(stream), request).await.map_err(failed),
            Err(error) => trouble = format!("cannot connect to {to}: {error}"),
        }
    }
    Err(failed(trouble))
}

/// The addresses of a host that the configuration names: this machine is known without the DNS.
///
/// # Errors
/// What the DNS says.
pub async fn addresses(world: &World, host: &str) -> Result<Vec<std::net::IpAddr>, String> {
    match host.parse() {
        Ok(address) => Ok(vec![address]),
        Err(_) if host.eq_ignore_ascii_case("localhost") => {
            Ok(vec![std::net::Ipv4Addr::LOCALHOST.into()])
        }
        Err(_) => {
            let found = world.dns.addresses(host).await;
            found.map(|found| found.records).map_err(|error| error.to_string())
        }
    }
}

async fn exchange(mut wire: Wire, request: &Request<'_>) -> Result<Response, String> {
    let network = |error: io::Error| error.to_string();
    wire.write_all(request.head().as_bytes()).await.map_err(network)?;
    if let Some((_, document)) = request.posted() {
        wire.write_all(document).await.map_err(network)?;
    }
    wire.flush().await.map_err(network)?;
    let mut octets = Vec::new();
    loop {
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
        if let Some(response) = response::read(&octets, ended)? {
            return Ok(response);
        }
        if octets.len() > request.size_max {
            return Err(format!("its answer is longer than {} octets", request.size_max));
        }
    }
}
