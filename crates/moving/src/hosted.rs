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

/// How often one list is gone back in because it changed. More would have a service whose totals go up and down read for
/// ever; fewer would give up on a list that is read for half an hour while much is deleted.
const MAX_BACK: u32 = 500;

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
        Pages { path, reading: Reading::default() }
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

/// A list that is read on, page by page.
pub struct Pages {
    path: String,
    reading: Reading,
}

impl Pages {
    /// The next items that were not handed out yet, perhaps none; `None` at the end.
    ///
    /// # Errors
    /// As [`Hosted::one`], or the service gives the same page again.
    pub async fn next(&mut self, hosted: &mut Hosted) -> anyhow::Result<Option<Vec<Value>>> {
        let Some(page) = self.reading.page() else { return Ok(None) };
        let Some(mut whole) = hosted.get(&format!("{}?page_no={page}&per_page={PER_PAGE}", self.path)).await? else {
            self.reading.broke_off();
            return Ok(None);
        };
        let total = whole["paging"]["total_count"].as_f64().map(|total| total as u64);
        let Value::Array(items) = whole["data"].take() else { bail!("GET {}: the answer holds no list", self.path) };
        self.reading.take(items, total).map_err(|why| anyhow!("GET {}: {why}", self.path))
    }

    /// How many items there were.
    pub fn seen(&self) -> u64 {
        self.reading.seen.len() as u64
    }

    /// At the end: why it may not be all that there is.
    pub fn missing(&self) -> Option<String> {
        self.reading.missing()
    }
}

/// How far a list is read that others change meanwhile. Pure. Each item is handed out once. What is made moves the rest on;
/// what is deleted moves it up, onto pages that were read: these are read again, and from there on all.
#[derive(Default)]
struct Reading {
    /// The last page that was read, and the furthest.
    page: u64,
    furthest: u64,
    /// Items of the largest page: what the service takes a page to be.
    size: u64,
    seen: HashSet<String>,
    /// As the service last told it.
    total: Option<u64>,
    /// It was another before. What was seen may be gone then, and counts for nothing.
    changed: bool,
    /// How many were seen, and the total, when it was last begun anew because it ended before that: what was made may be in
    /// front.
    anew: Option<(usize, u64)>,
    back: u32,
    over: bool,
    broke_off: bool,
}

impl Reading {
    /// Which page to read; `None` at the end.
    fn page(&self) -> Option<u64> {
        (!self.over).then_some(self.page + 1)
    }

    /// Such a page: the items of it that were not handed out yet; `None` at the end.
    fn take(&mut self, items: Vec<Value>, total: Option<u64>) -> Result<Option<Vec<Value>>, String> {
        let page = self.page + 1;
        let (is_new, is_empty) = (page > self.furthest, items.is_empty());
        (self.page, self.furthest, self.size) = (page, self.furthest.max(page), self.size.max(items.len() as u64));
        let (before, now) = (self.total.or(total).unwrap_or_default(), total.or(self.total).unwrap_or_default());
        self.total = total.or(self.total);
        self.changed |= now != before;
        let fresh: Vec<_> = items.into_iter().filter(|item| self.seen.insert(key(item))).collect();
        if now < before && page > 1 && self.go_back_to(page.saturating_sub((before - now).div_ceil(self.size.max(1)))) {
            return Ok(Some(fresh));
        }
        if is_empty {
            let seen = self.seen.len();
            let is_early = (seen as u64) < now;
            if is_early && self.anew.replace((seen, now)) != Some((seen, now)) && self.go_back_to(1) {
                return Ok(Some(fresh));
            }
            self.over = true;
            return Ok(None);
        }
        // Without a total that can be counted up to, the empty page is the end.
        self.over = !self.changed && self.total.is_some_and(|total| self.seen.len() as u64 >= total);
        // What was made moves others on by whole pages, also where as much was deleted, but not beyond the last one.
        let may_repeat = page <= now.div_ceil(self.size);
        if fresh.is_empty() && is_new && !may_repeat && !self.over {
            return Err(format!("page {page} holds nothing that was not on a page before it"));
        }
        Ok(Some(fresh))
    }

    /// Whether it may be done once more.
    fn go_back_to(&mut self, page: u64) -> bool {
        let may = self.back < MAX_BACK;
        if may {
            (self.back, self.page) = (self.back + 1, page.max(1) - 1);
        }
        may
    }

    /// There is no such page.
    fn broke_off(&mut self) {
        self.over = true;
        self.broke_off = self.changed || self.total.is_none_or(|total| (self.seen.len() as u64) < total);
    }

    /// At the end: why it may not be all that there is.
    fn missing(&self) -> Option<String> {
        if self.broke_off {
            return Some(match self.page {
                0 => "is not there (404)".to_owned(),
                page => format!("broke off after page {page} (404)"),
            });
        }
        if self.back >= MAX_BACK {
            return Some("changed too often while it was read".to_owned());
        }
        let seen = self.seen.len() as u64;
        let total = self.total.filter(|total| seen < *total)?;
        Some(format!("ended after {seen} of {total}"))
    }
}

/// What an item is known by.
fn key(item: &Value) -> String {
    item["id"].as_str().map_or_else(|| item.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Reads a list of `count` things by pages of ten, the newest first, and `change`s it before each request, of which it is
    /// told the number. Those of it that are there at the end and were not read.
    fn lost(count: usize, mut change: impl FnMut(usize, &mut Vec<usize>)) -> Vec<usize> {
        let mut list: Vec<usize> = (0..count).collect();
        let (mut reading, mut read) = (Reading::default(), HashSet::new());
        let mut asked = 0;
        while let Some(page) = reading.page() {
            change(asked, &mut list);
            asked += 1;
            let items = list.iter().skip((page as usize - 1) * 10).take(10).map(|id| json!({ "id": id.to_string() }));
            let Some(fresh) = reading.take(items.collect(), Some(list.len() as u64)).unwrap() else { break };
            for item in fresh {
                assert!(read.insert(key(&item)), "each is handed out once");
            }
        }
        assert_eq!(reading.missing(), None);
        list.retain(|id| !read.contains(&id.to_string()));
        list
    }

    #[test]
    fn what_is_deleted_meanwhile_hides_nothing_else() {
        for count in [11, 20, 35, 100] {
            for deleted in [1, 3, 10, 25] {
                for at in 1..5 {
                    for again in [false, true] {
                        let lost = lost(count, |asked, list| {
                            if asked == at || again && asked > at {
                                list.drain(..deleted.min(list.len()));
                            }
                        });
                        assert!(lost.is_empty(), "{deleted} of {count} at {at}: {lost:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_made_and_deleted_at_random_hides_nothing_that_was_there() {
        let mut number: u64 = 1;
        let mut any = |below: usize| {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (number >> 33) as usize % below.max(1)
        };
        for round in 0..500 {
            let (count, much) = (any(120), any(12));
            let mut made = 1_000;
            let lost = lost(count, |asked, list| {
                if asked == 0 || asked > 40 {
                    return;
                }
                for _ in 0..any(much).min(list.len()) {
                    list.remove(any(list.len()));
                }
                for _ in 0..any(much) {
                    made += 1;
                    list.insert(0, made);
                }
            });
            let old: Vec<_> = lost.iter().filter(|id| **id < 1_000).collect();
            assert!(old.is_empty(), "round {round}: {old:?} of {count}");
        }
    }

    #[test]
    fn what_is_made_meanwhile_comes_as_well() {
        for many in [1, 10, 35] {
            let lost = lost(35, |asked, list| {
                if asked == 2 {
                    list.splice(0..0, 1_000..1_000 + many);
                }
            });
            assert!(lost.is_empty(), "{many}: {lost:?}");
        }
    }

    #[test]
    fn a_list_that_ends_early_says_so() {
        let of = |ids: std::ops::Range<u32>| ids.map(|id| json!({ "id": id.to_string() })).collect::<Vec<_>>();
        let mut short = Reading::default();
        // It is begun anew once, and found to be the same.
        for _ in 0..2 {
            short.take(of(0..10), Some(20)).unwrap();
            assert_eq!(short.missing().as_deref(), Some("ended after 10 of 20"));
            short.take(vec![], Some(20)).unwrap();
        }
        assert_eq!(short.page(), None);
        assert_eq!(short.missing().as_deref(), Some("ended after 10 of 20"));

        let mut broken = Reading::default();
        broken.take(of(0..10), Some(20)).unwrap();
        broken.broke_off();
        assert_eq!((broken.page(), broken.missing().as_deref()), (None, Some("broke off after page 1 (404)")));

        let mut none = Reading::default();
        none.broke_off();
        assert_eq!(none.missing().as_deref(), Some("is not there (404)"));

        let mut whole = Reading::default();
        whole.take(of(0..10), None).unwrap();
        assert_eq!(whole.take(vec![], None).unwrap(), None);
        assert_eq!(whole.missing(), None);
    }

    #[test]
    fn a_service_that_gives_nonsense_is_not_read_for_ever() {
        let page = |_| json!({ "id": "1" });
        let mut same = Reading::default();
        for _ in 0..9 {
            same.take((0..1).map(page).collect(), Some(9)).unwrap();
        }
        assert!(same.take((0..1).map(page).collect(), Some(9)).unwrap_err().contains("page 10 holds nothing"));

        // Totals that go up and down, as of servers that do not agree.
        let mut reading = Reading::default();
        let mut asked = 0;
        while let Some(page) = reading.page() {
            asked += 1;
            assert!(asked < 5_000);
            let items =
                (page * 10..page * 10 + 10).take_while(|id| *id < 110).map(|id| json!({ "id": id.to_string() })).collect();
            if !matches!(reading.take(items, Some(100 - asked % 2)), Ok(Some(_))) {
                break;
            }
        }
        assert!(reading.missing().is_some());
    }
}
