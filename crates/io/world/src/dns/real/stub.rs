//! The stub resolver: servers, retries and cache.
//!
//! Every query has the AD bit set, which asks a validating resolver to say whether it validated the
//! answer (RFC 6840 section 5.7), without the signatures that DO would bring along.

use std::{io, net::SocketAddr, sync::Arc};

use hickory_resolver::{
    NameServerPool, PoolContext, TlsConfig,
    caching_client::CachingClient,
    config::{ConnectionConfig, NameServerConfig, ResolverOpts},
    lookup::Lookup,
    net::{
        NetError,
        runtime::TokioRuntimeProvider,
        xfer::{DnsHandle, FirstAnswer, RetryDnsHandle},
    },
    proto::op::{DnsRequest, DnsRequestOptions, Query, ResponseCode},
};

use super::Settings;

type Pool = NameServerPool<TokioRuntimeProvider>;

/// Asks, and remembers.
pub(super) struct Stub {
    client: CachingClient<Asking<RetryDnsHandle<Pool>>>,
    pool: Pool,
}

impl Stub {
    /// # Errors
    /// None in practice.
    pub(super) fn new(servers: &[SocketAddr], settings: &Settings) -> io::Result<Self> {
        let mut options = ResolverOpts::default();
        options.timeout = settings.timeout;
        options.attempts = settings.retries;
        let cache_size = options.cache_size;
        let tls = TlsConfig::new().map_err(io::Error::other)?;
        let context = Arc::new(PoolContext::new(options, tls));
        let servers = servers.iter().copied().map(server);
        let pool = NameServerPool::from_config(servers, context, TokioRuntimeProvider::default());
        let retrying = Asking(RetryDnsHandle::new(pool.clone(), settings.retries));
        // The CNAMEs on the way are kept: they tell the canonical name.
        let client = CachingClient::new(cache_size, retrying, true);
        Ok(Self { client, pool })
    }

    pub(super) async fn lookup(&self, query: Query) -> Result<Lookup, NetError> {
        self.client.lookup(query, DnsRequestOptions::default()).await
    }

    /// Whether there is an answer for whoever does not want it checked (the CD bit, RFC 4035 section
    /// 3.2.2): then a `SERVFAIL` was for its signatures.
    pub(super) async fn answers_unchecked(&self, query: Query) -> bool {
        let mut request = DnsRequest::from_query(query, DnsRequestOptions::default());
        request.metadata.checking_disabled = true;
        let known = [ResponseCode::NoError, ResponseCode::NXDomain];
        let answer = self.pool.send(request).first_answer().await;
        answer.is_ok_and(|answer| known.contains(&answer.response_code))
    }
}

/// Sets the AD bit.
#[derive(Clone)]
struct Asking<H>(H);

impl<H: DnsHandle> DnsHandle for Asking<H> {
    type Response = H::Response;
    type Runtime = H::Runtime;

    fn send(&self, mut request: DnsRequest) -> Self::Response {
        request.metadata.authentic_data = true;
        self.0.send(request)
    }
}

fn server(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}
