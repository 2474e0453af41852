//! Requests that are passed on to another node, and its answers.
//! Invariant: the caller's headers go along as they are, but for those of one connection; whoever answers judges them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{self, HeaderName};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Response};
use reqwest::redirect::Policy;

use crate::secret::Secret;

/// On the answer of a node that does not have what it is asked for either: look again where it is.
pub const ELSEWHERE: HeaderName = HeaderName::from_static("x-salon-elsewhere");

/// How long a connection to a node may take.
const CONNECT_WITHIN: Duration = Duration::from_millis(500);

/// How long a node may take to begin its answer. One that only reads can be asked again.
const READ_WITHIN: Duration = Duration::from_secs(2);
const CHANGE_WITHIN: Duration = Duration::from_secs(10);

/// Connections to one node that wait for the next request.
const IDLE_PER_NODE: usize = 32;

/// How long one of them waits. Less than the node on the other side keeps it.
const IDLE: Duration = Duration::from_secs(20);

/// What holds for one connection only (RFC 9110, section 7.6.1), and what is said anew.
const OF_ONE_CONNECTION: [HeaderName; 9] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// The other nodes; clones share their connections.
#[derive(Clone)]
pub struct Nodes {
    pub(crate) client: reqwest::Client,
    pub(crate) secret: Arc<Secret>,
}

/// A node did not answer.
#[derive(Debug, thiserror::Error)]
pub enum Unreached {
    /// It heard nothing of it.
    #[error("the node cannot be reached: {0}")]
    NotSent(String),
    /// It may have done what it was asked for.
    #[error("the node does not answer: {0}")]
    NoAnswer(String),
}

impl Nodes {
    /// # Errors
    /// If the system gives no randomness or certificates.
    pub fn new(secret: Secret) -> reqwest::Result<Self> {
        let client = reqwest::Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .http1_only()
            .connect_timeout(CONNECT_WITHIN)
            .tcp_nodelay(true)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_PER_NODE)
            .build()?;
        Ok(Self { client, secret: Arc::new(secret) })
    }

    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Passes a request of `peer` on to the node at `address`.
    ///
    /// # Errors
    /// It does not answer, or not in time.
    pub async fn pass(&self, address: &str, request: &Parts, body: Bytes, peer: Option<SocketAddr>) -> Result<Answer, Unreached> {
        let path = request.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut headers = request.headers.clone();
        OF_ONE_CONNECTION.iter().for_each(|name| drop(headers.remove(name)));
        self.secret.sign(&mut headers, peer);
        let within = if request.method.is_safe() { READ_WITHIN } else { CHANGE_WITHIN };
        self.send(address, request.method.clone(), path, headers, body, within).await
    }

    /// Asks the node at `address` something that only nodes ask: JSON, in a body.
    ///
    /// # Errors
    /// It does not answer, or not in time, or not with 200.
    pub async fn ask(&self, address: &str, path: &str, body: Bytes) -> Result<Bytes, Unreached> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        self.secret.sign(&mut headers, None);
        let answer = reqwest::Response::from(self.send(address, Method::POST, path, headers, body, READ_WITHIN).await?);
        let answer = answer.error_for_status().map_err(unreached)?;
        answer.bytes().await.map_err(unreached)
    }

    async fn send(
        &self,
        address: &str,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
        within: Duration,
    ) -> Result<Answer, Unreached> {
        let request = self.client.request(method, format!("http://{address}{path}")).headers(headers).body(body);
        let answer = tokio::time::timeout(within, request.send()).await;
        let answer = answer.map_err(|_| Unreached::NoAnswer("it takes too long".to_owned()))?.map_err(unreached)?;
        let mut answer = Response::<reqwest::Body>::from(answer);
        [header::CONNECTION, header::TRANSFER_ENCODING].iter().for_each(|name| drop(answer.headers_mut().remove(name)));
        Ok(answer)
    }
}

/// What another node answered.
pub type Answer = Response<reqwest::Body>;

/// Without the address, which may have a token in it.
pub(crate) fn unreached(error: reqwest::Error) -> Unreached {
    let not_sent = error.is_connect() || error.is_builder();
    let why = error.without_url().to_string();
    if not_sent { Unreached::NotSent(why) } else { Unreached::NoAnswer(why) }
}
