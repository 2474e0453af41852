//! What listens for webhooks: writes down all it hears, and answers as the test tells it to.
#![allow(dead_code)]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mood {
    /// With this status.
    Says(u16),
    /// It sends elsewhere.
    Redirects(String),
    /// It takes the request and never answers.
    Hangs,
    /// It closes the connection without a word.
    HangsUp,
}

/// Names in small letters, and values.
type Headers = Vec<(String, String)>;

/// One request.
#[derive(Debug, Clone)]
pub struct Heard {
    pub headers: Headers,
    pub body: Vec<u8>,
    pub at: Instant,
    /// How it was answered.
    pub mood: Mood,
}

pub struct Receiver {
    pub url: String,
    heard: Arc<Mutex<Vec<Heard>>>,
    mood: Arc<Mutex<Mood>>,
    listening: tokio::task::JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Receiver {
    pub async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let (heard, mood) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(mood)));
        let (all, how) = (heard.clone(), mood.clone());
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, all.clone(), how.clone()));
            }
        });
        Self { url, heard, mood, listening }
    }

    pub fn is(&self, mood: Mood) {
        *self.mood.lock().expect("no test panics here") = mood;
    }

    /// Everything so far.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().expect("no test panics here").clone()
    }

    /// Waits until it has heard so many requests.
    pub async fn hears(&self, count: usize) -> Vec<Heard> {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let heard = self.heard();
            if heard.len() >= count {
                return heard;
            }
            assert!(Instant::now() < until, "{count} requests do not come: {:?}", names(&heard));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What it took, each delivery once, in the order in which it came first.
    pub fn taken(&self) -> Vec<Heard> {
        let mut seen = BTreeSet::new();
        let taken = self.heard().into_iter().filter(|heard| heard.mood == Mood::Says(200));
        taken.filter(|heard| seen.insert(heard.id().to_owned())).collect()
    }
}

impl Heard {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or_else(|| panic!("no header {name} in {:?}", self.headers), |(_, value)| value)
    }

    pub fn id(&self) -> &str {
        self.header("rtk-uuid")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a body is JSON")
    }

    /// The event, and whom it is about.
    pub fn name(&self) -> String {
        let body = self.json();
        let event = body["event"].as_str().expect("an event").trim_start_matches("meeting.");
        match body["participant"]["userDisplayName"].as_str() {
            Some(name) => format!("{event} {name}"),
            None => event.to_owned(),
        }
    }
}

pub fn names(heard: &[Heard]) -> Vec<String> {
    heard.iter().map(Heard::name).collect()
}

async fn serve(mut stream: TcpStream, all: Arc<Mutex<Vec<Heard>>>, how: Arc<Mutex<Mood>>) {
    let mut bytes = Vec::new();
    loop {
        let Some((headers, body, rest)) = request(&bytes) else {
            let mut more = [0; 4096];
            match stream.read(&mut more).await {
                Ok(count) if count > 0 => bytes.extend(&more[..count]),
                _ => return,
            }
            continue;
        };
        bytes = rest;
        let mood = how.lock().expect("no test panics here").clone();
        let heard = Heard { headers, body, at: Instant::now(), mood: mood.clone() };
        all.lock().expect("no test panics here").push(heard);
        let answer = match mood {
            Mood::Says(status) => format!("HTTP/1.1 {status} So\r\ncontent-length: 4\r\n\r\nseen"),
            Mood::Redirects(to) => format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"),
            Mood::Hangs => std::future::pending().await,
            Mood::HangsUp => return,
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The first whole request in `bytes`, and what follows it.
fn request(bytes: &[u8]) -> Option<(Headers, Vec<u8>, Vec<u8>)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).expect("a head is text");
    let pairs = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers: Vec<_> = pairs.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse::<usize>().ok()?;
    let body = bytes.get(end + 4..end + 4 + length)?.to_vec();
    Some((headers, body, bytes[end + 4 + length..].to_vec()))
}
