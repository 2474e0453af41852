//! One request to a receiver: bounded in time and size, to where the guard lets it go, and no further.
//! Invariant: a name is resolved once, all it stands for is judged, and only to that is connected. Redirects are not
//! followed, no proxy of the environment is asked.

use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use salon_core::Timestamp;
use salon_store::{Delivery, Webhook};

use crate::due::Outcome;
use crate::guard::{Guard, Refused};
use crate::key::Pair;
use crate::signature::signatures;

/// How long a receiver may take, from the name to the end of its answer. Longer lets hanging ones hold more places.
pub const WITHIN: Duration = Duration::from_secs(5);

/// How much of an answer is read, and how much of that is kept for looking back.
const MAX_READ: usize = 64 * 1024;
const MAX_KEPT: usize = 1024;

/// How long a connection that is not used is kept.
const IDLE: Duration = Duration::from_secs(30);

/// Sends requests; clones share their connections.
#[derive(Clone)]
pub struct Post {
    client: reqwest::Client,
    guard: Arc<Guard>,
}

/// What came of a request.
pub struct Said {
    pub outcome: Outcome,
    /// The beginning of the answer, or why there is none.
    pub text: String,
}

struct Resolver(Arc<Guard>);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if !found.iter().all(|address| guard.admits(address.ip())) {
                return Err(Refused::Private.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// What connects to where the guard lets it, and follows nobody.
pub fn client(guard: Arc<Guard>) -> anyhow::Result<reqwest::Client> {
    let client = reqwest::Client::builder()
        .user_agent(concat!("Salon/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(Arc::new(Resolver(guard)))
        .redirect(Policy::none())
        .no_proxy()
        .http1_only()
        .timeout(WITHIN)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(8);
    Ok(client.build()?)
}

impl Post {
    pub fn new(guard: Arc<Guard>) -> anyhow::Result<Self> {
        Ok(Self { client: client(guard.clone())?, guard })
    }

    /// Tells a webhook what `body` says.
    pub async fn send(&self, webhook: &Webhook, delivery: &Delivery, body: Vec<u8>, pair: &Pair, now: Timestamp) -> Said {
        let nothing = |why: String| Said { outcome: Outcome::Nothing, text: why };
        // Judged again each time: what is closed may have changed since it was registered.
        let url = match self.guard.judge(&webhook.url) {
            Ok(url) => url,
            Err(why) => return nothing(format!("the address {why}")),
        };
        let headers = headers(webhook, delivery, &body, pair, now);
        match self.client.post(url).headers(headers).body(body).send().await {
            Ok(answer) => Said { outcome: Outcome::Answered(answer.status().as_u16()), text: read(answer).await },
            Err(error) => nothing(explain(&error)),
        }
    }
}

fn headers(webhook: &Webhook, delivery: &Delivery, body: &[u8], pair: &Pair, now: Timestamp) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut add = |name: &'static str, value: &str| {
        // Ids, numbers and base64 are fit for a header.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    let id = delivery.id.as_str();
    add("content-type", "application/json");
    add("rtk-signature", &pair.sign(body));
    add("rtk-uuid", id);
    add("rtk-webhook-id", webhook.id.as_str());
    if let Some(secret) = &webhook.secret {
        add("webhook-id", id);
        add("webhook-timestamp", &now.0.div_euclid(1_000).to_string());
        add("webhook-signature", &signatures(secret, id, now, body));
    }
    headers
}

/// The beginning of an answer, as text. What does not come in time or is too much is left.
async fn read(mut answer: reqwest::Response) -> String {
    let (mut kept, mut seen) = (Vec::new(), 0);
    while let Ok(Some(part)) = answer.chunk().await {
        kept.extend(part.iter().take(MAX_KEPT - kept.len()));
        seen += part.len();
        if seen >= MAX_READ {
            break;
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// Why there is no answer, without the address: that may hold a secret of the receiver's.
pub fn explain(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", WITHIN.as_secs());
    }
    let mut root: &dyn std::error::Error = error;
    while let Some(source) = root.source() {
        root = source;
    }
    let what = if error.is_connect() { "no connection" } else { "no answer" };
    let why = if root.source().is_none() && error.source().is_none() { String::new() } else { format!(": {root}") };
    format!("{what}{why}").chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use salon_core::notice::News;
    use salon_core::{AppId, DeliveryId, MeetingId, Notice, SessionId, WebhookId};
    use salon_store::DeliveryState;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::key::make;

    /// Tells somebody at `url` something, as a node does that lets requests go to `allowed`.
    async fn send(url: &str, allowed: &[&str]) -> Said {
        let allowed = allowed.iter().map(|network| network.parse().expect("a network")).collect();
        let session = SessionId::parse("s").expect("an id");
        let webhook = Webhook {
            id: WebhookId::parse("w").expect("an id"),
            app: AppId::parse("a").expect("an id"),
            name: String::new(),
            url: url.to_owned(),
            events: Vec::new(),
            enabled: true,
            secret: None,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
        };
        let delivery = Delivery {
            id: DeliveryId::parse("d").expect("an id"),
            webhook: webhook.id.clone(),
            position: 1,
            session: session.clone(),
            event: "meeting.started".to_owned(),
            notice: Notice {
                session,
                meeting: MeetingId::parse("m").expect("an id"),
                app: webhook.app.clone(),
                title: String::new(),
                started_at: Timestamp(0),
                created_at: Timestamp(0),
                seq: 1,
                at: Timestamp(0),
                news: News::Started,
            },
            state: DeliveryState::Open,
            tries: 0,
            tried_at: None,
            status: None,
            answer: None,
            created_at: Timestamp(0),
            next_at: None,
        };
        let post = Post::new(Arc::new(Guard::new(allowed))).expect("a client is made");
        let pair = Pair::read(&make().expect("a key is made")).expect("it is read");
        post.send(&webhook, &delivery, b"{}".to_vec(), &pair, Timestamp(0)).await
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_not_connected_to() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        listener.set_nonblocking(true).expect("it can be asked");
        let port = listener.local_addr().expect("an address").port();
        for host in ["localhost", "127.0.0.1", "2130706433", "[::ffff:127.0.0.1]"] {
            let said = send(&format!("http://{host}:{port}/"), &["10.0.0.0/8"]).await;
            assert_eq!(said.outcome, Outcome::Nothing, "{host}");
            assert!(said.text.contains("private network"), "{host}: {}", said.text);
            assert_eq!(listener.accept().map(drop).map_err(|error| error.kind()), Err(ErrorKind::WouldBlock), "{host}");
        }
    }

    #[tokio::test]
    async fn of_an_endless_answer_only_the_beginning_is_read() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let talks = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("it is asked");
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n").await;
            let mut bytes = 0;
            while stream.write_all(&[b'x'; 4096]).await.is_ok() {
                bytes += 4096;
            }
            bytes
        });
        let said = send(&url, &["127.0.0.0/8"]).await;
        assert_eq!((said.outcome, said.text.len()), (Outcome::Answered(200), MAX_KEPT));
        // What the system takes in for both sides comes on top.
        assert!(talks.await.expect("it is cut off") < 64 * 1024 * 1024);
    }

    #[tokio::test]
    async fn why_there_is_no_answer_is_told_without_the_address() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let said = send(&format!("http://127.0.0.1:{port}/?key=secret"), &["127.0.0.0/8"]).await;
        assert!(said.text.starts_with("no connection") && !said.text.contains("secret"), "{}", said.text);
    }
}
