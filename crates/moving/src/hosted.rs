//! Reading from the hosted service: one request at a time, at a bounded rate, tried again where that may help.
//! Invariant: only GET is ever sent; the token is in a header, and in no error and no log.
//! Next: `retry.rs`, when again; `told.rs`, what is made of the answers.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use reqwest::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until};

use crate::address::Base;
use crate::retry::{Failure, pause};

/// How long one answer may take, to its end.
const WITHIN: Duration = Duration::from_secs(30);

/// The largest answer that is read. A page of a hundred of the largest presets is smaller.
const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// Items of a page. The service may give fewer; what it gave is what is counted.
const PER_PAGE: u32 = 100;

/// A credential. It is not shown.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// As a header that is not shown either; `None` if it holds what no header may.
    pub fn header(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// The service, as one account sees it.
pub struct Hosted {
    client: reqwest::Client,
    base: Base,
    account: String,
    credential: HeaderValue,
    every: Duration,
    next: Instant,
    /// Requests sent, tries of the same among them.
    pub requests: u64,
}

impl Hosted {
    /// `account` is an id; at most `per_minute` requests are sent in a minute.
    ///
    /// # Errors
    /// The token cannot be sent, or the system gives no certificates.
    pub fn new(base: Base, account: &str, token: &Token, per_minute: u32) -> anyhow::Result<Self> {
        let credential = token.header().context("the API token holds letters that no token has")?;
        let client = reqwest::Client::builder()
            .user_agent(concat!("Salon/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .timeout(WITHIN)
            .build()
            .context("the HTTP client cannot be made")?;
        let every = Duration::from_secs(60) / per_minute.max(1);
        Ok(Self { client, base, account: account.to_owned(), credential, every, next: Instant::now(), requests: 0 })
    }

    /// `data` of what is at this path of the account, `None` if there is nothing.
    ///
    /// # Errors
    /// It cannot be had. The sentence says what to do.
    pub async fn one(&mut self, path: &str) -> anyhow::Result<Option<Value>> {
        let whole = self.get(path).await?;
        Ok(whole.map(|mut whole| whole["data"].take()))
    }

    /// The list at this path, page by page.
    pub fn list(&self, path: String) -> Pages {
        Pages { path, page: 0, seen: HashSet::new(), over: false }
    }

    async fn get(&mut self, path: &str) -> anyhow::Result<Option<Value>> {
        let url = self.base.at(&format!("/accounts/{}/realtime/kit{path}", self.account));
        let mut tries = 0;
        loop {
            sleep_until(self.next).await;
            self.next = Instant::now() + self.every;
            tries += 1;
            self.requests += 1;
            let (failure, why) = match self.ask(&url).await {
                Asked::Answer(value) => return Ok(Some(value)),
                Asked::Failed(Failure::Said(404, _), _) => return Ok(None),
                Asked::Failed(failure, why) => (failure, why),
            };
            if let Failure::Said(401 | 403, _) = failure {
                bail!(
                    "the service refuses the API token for account {} ({why}): it needs the permission to read Realtime, \
                     and the account must be right",
                    self.account
                );
            }
            match pause(failure, tries) {
                Some(wait) => sleep(wait).await,
                None => {
                    return Err(anyhow!("GET {path}: {why}; start it again later, and it goes on where it was"));
                }
            }
        }
    }

    async fn ask(&self, url: &str) -> Asked {
        let request = self.client.get(url).header(AUTHORIZATION, self.credential.clone());
        let mut answer = match request.header("accept", "application/json").send().await {
            Ok(answer) => answer,
            Err(error) => return Asked::Failed(Failure::Nothing, explain(error)),
        };
        let status = answer.status().as_u16();
        let asked_for = answer.headers().get(RETRY_AFTER).and_then(|secs| secs.to_str().ok()?.trim().parse().ok());
        let mut bytes = Vec::new();
        loop {
            match answer.chunk().await {
                Ok(Some(part)) if bytes.len() + part.len() > MAX_ANSWER => {
                    return Asked::Failed(Failure::Said(413, None), format!("the answer is larger than {MAX_ANSWER} bytes"));
                }
                Ok(Some(part)) => bytes.extend_from_slice(&part),
                Ok(None) => break,
                Err(error) => return Asked::Failed(Failure::Nothing, explain(error)),
            }
        }
        let body = serde_json::from_slice::<Value>(&bytes);
        if status != 200 {
            let body = body.unwrap_or_default();
            let said = body["error"]["message"].as_str().or_else(|| body["errors"][0]["message"].as_str());
            let said = said.map(|said| format!(": {}", said.chars().take(200).collect::<String>().escape_debug()));
            return Asked::Failed(Failure::Said(status, asked_for), format!("{status}{}", said.unwrap_or_default()));
        }
        match body {
            Ok(body) if body.is_object() && body["success"] != false => Asked::Answer(body),
            // Perhaps of a proxy that has its own page for an outage.
            _ => Asked::Failed(Failure::Nothing, "200, but the answer is not that of the API".to_owned()),
        }
    }
}

enum Asked {
    Answer(Value),
    Failed(Failure, String),
}

/// Without the address, and with what is behind it.
fn explain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// A list that is read on. Things that are made meanwhile move it on: each is handed out once.
pub struct Pages {
    path: String,
    page: u64,
    seen: HashSet<String>,
    over: bool,
}

impl Pages {
    /// The next items that were not handed out yet; `None` at the end.
    ///
    /// # Errors
    /// As [`Hosted::one`], or the service gives the same page again.
    pub async fn next(&mut self, hosted: &mut Hosted) -> anyhow::Result<Option<Vec<Value>>> {
        if self.over {
            return Ok(None);
        }
        self.page += 1;
        let Some(mut whole) = hosted.get(&format!("{}?page_no={}&per_page={PER_PAGE}", self.path, self.page)).await? else {
            self.over = true;
            return Ok(None);
        };
        let total = whole["paging"]["total_count"].as_f64();
        let items = match whole["data"].take() {
            Value::Array(items) => items,
            _ => bail!("GET {}: the answer holds no list", self.path),
        };
        if items.is_empty() {
            self.over = true;
            return Ok(None);
        }
        let fresh: Vec<_> = items.into_iter().filter(|item| self.seen.insert(key(item))).collect();
        // Without a total, the empty page is the end.
        self.over = total.is_some_and(|total| self.seen.len() as f64 >= total);
        if fresh.is_empty() && !self.over {
            bail!("GET {}: page {} holds nothing that was not on a page before it", self.path, self.page);
        }
        Ok(Some(fresh))
    }

    /// How many items there were.
    pub fn seen(&self) -> u64 {
        self.seen.len() as u64
    }
}

/// What an item is known by.
fn key(item: &Value) -> String {
    item["id"].as_str().map_or_else(|| item.to_string(), str::to_owned)
}
