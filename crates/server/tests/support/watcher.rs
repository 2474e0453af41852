//! Somebody who watches: reads a stream of events as any client would, and keeps what they add up to.
//! Knows nothing of Salon but what docs/watching.md says.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// How long anything that should come may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// One event of a stream.
#[derive(Debug, Clone)]
pub struct Event {
    pub name: String,
    pub id: Option<String>,
    pub data: Value,
}

/// An open stream.
pub struct Stream {
    from: BufReader<TcpStream>,
    pub headers: Vec<(String, String)>,
    heard: String,
}

impl Stream {
    /// Opens one; the status if it is refused, 0 if nobody answers.
    pub async fn open(addr: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Self, u16> {
        let mut head = format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        let mut stream = TcpStream::connect(addr).await.map_err(|_| 0_u16)?;
        stream.write_all(head.as_bytes()).await.map_err(|_| 0_u16)?;
        let mut from = BufReader::new(stream);
        let (mut lines, mut line) = (Vec::new(), String::new());
        while from.read_line(&mut line).await.is_ok_and(|read| read > 2) {
            lines.push(std::mem::take(&mut line).trim().to_owned());
        }
        let status = lines.first().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(0);
        if status != 200 {
            return Err(status);
        }
        let pairs = lines.iter().filter_map(|line| line.split_once(": "));
        let headers = pairs.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        Ok(Self { from, headers, heard: String::new() })
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The next event; none once the stream has ended or broken.
    pub async fn next(&mut self) -> Option<Event> {
        tokio::time::timeout(PATIENCE, self.next_event()).await.expect("something comes")
    }

    /// The next event of this name.
    pub async fn hear(&mut self, name: &str) -> Event {
        loop {
            let event = self.next().await.unwrap_or_else(|| panic!("the stream ended before {name} came"));
            if event.name == name {
                return event;
            }
        }
    }

    async fn next_event(&mut self) -> Option<Event> {
        loop {
            while let Some((block, rest)) = self.heard.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.heard = rest;
                let field =
                    |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::to_owned);
                let Some(data) = field("data") else { continue };
                let data = serde_json::from_str(&data).expect("data is JSON");
                return Some(Event { name: field("event").expect("every event has a name"), id: field("id"), data });
            }
            let mut size = String::new();
            self.from.read_line(&mut size).await.ok().filter(|read| *read > 0)?;
            let size = usize::from_str_radix(size.trim(), 16).expect("a chunk has a size");
            let mut chunk = vec![0; size + 2];
            self.from.read_exact(&mut chunk).await.ok()?;
            if size == 0 {
                return None;
            }
            chunk.truncate(size);
            self.heard += &String::from_utf8(chunk).expect("events are text, and none is cut within a character");
        }
    }
}

/// What the events of a stream add up to.
#[derive(Debug, Default, Clone)]
pub struct Folded {
    /// The last snapshot with what has changed since; null while no session is live.
    pub now: Value,
    /// Where to go on from.
    pub last_id: Option<String>,
    /// Every event with a number, as it came.
    pub told: Vec<Event>,
    /// How often it was told to forget what it knew.
    pub resets: usize,
}

impl Folded {
    /// Takes what came. Panics at a gap, and at what came twice.
    pub fn take(&mut self, event: &Event) {
        let Event { name, data, .. } = event;
        match name.as_str() {
            "snapshot" => {
                assert_eq!(data["reset"], true);
                self.resets += 1;
                self.now = data.clone();
            }
            "change" => {
                self.follows(data);
                for (key, value) in data.as_object().unwrap() {
                    if !["prev", "kind", "at", "person"].contains(&key.as_str()) {
                        self.now[key] = value.clone();
                    }
                }
                let person = &data["person"];
                let people = self.now["people"].as_array_mut().unwrap();
                people.retain(|known| known["peer_id"] != person["peer_id"]);
                if person["state"] != "left" {
                    let order = |person: &Value| person["order"].as_u64().unwrap();
                    let at = people.partition_point(|known| order(known) < order(person));
                    people.insert(at, person.clone());
                }
            }
            "ended" => {
                self.follows(data);
                self.now = Value::Null;
            }
            "none" => self.now = Value::Null,
            "door" | "bye" | "quality" => {}
            other => panic!("{other} is not in the documentation"),
        }
        if let Some(id) = &event.id {
            assert_eq!(*id, format!("{}:{}", data["session_id"].as_str().unwrap(), data["seq"]));
            assert!(!self.told.iter().any(|known| known.id.as_ref() == Some(id) && known.name == *name), "{id} came twice");
            self.last_id = Some(id.clone());
            self.told.push(event.clone());
        }
    }

    /// Whether this is the event after the one that came last.
    fn follows(&self, data: &Value) {
        let last = self.last_id.as_ref().and_then(|id| id.rsplit_once(':')).expect("nothing changes before a snapshot");
        assert_eq!(data["session_id"], last.0, "it is of the session that is watched");
        assert_eq!(data["prev"].to_string(), last.1, "nothing is between {data} and {last:?}");
        assert!(data["seq"].as_u64() > data["prev"].as_u64());
    }

    /// What the record says as well: all but the moment, and what is not in it.
    pub fn of_record(people: &Value) -> String {
        let mut people = people.clone();
        for key in ["at", "minutes_consumed", "waiting", "reset", "quality", "elsewhere", "next_after"] {
            people.as_object_mut().unwrap().remove(key);
        }
        for person in people["people"].as_array_mut().unwrap() {
            person.as_object_mut().unwrap().retain(|key, _| {
                !["tracks", "sound_in", "sound_out", "picture_in", "picture_out", "line"].contains(&key.as_str())
            });
        }
        people.to_string()
    }
}
