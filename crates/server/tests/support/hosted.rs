//! The hosted service as the contract has it: accounts, apps, presets, meetings and participants in memory, by the page.
//! It can be busy, out of order, or hang, and it knows fields that Salon does not.
#![allow(dead_code)]

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Json;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use uuid::Uuid;

pub const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";
pub const TOKEN: &str = "hosted-token-that-nobody-may-see";

/// It gives fewer items than it is asked for.
const MOST_PER_PAGE: usize = 25;

/// How it answers the next request, other than well.
#[derive(Debug, Clone, Copy)]
pub enum Trouble {
    Says(u16),
    /// 429, and after how many seconds to come back.
    Busy(u32),
    /// Never.
    Hangs,
}

#[derive(Default)]
pub struct Kept {
    pub apps: Vec<Value>,
    /// By app.
    pub presets: BTreeMap<String, Vec<Value>>,
    pub meetings: BTreeMap<String, Vec<Value>>,
    /// By meeting.
    pub people: BTreeMap<String, Vec<Value>>,
    /// Paths that were asked for, in order, without what follows a question mark.
    pub asked: Vec<String>,
    pub troubles: VecDeque<Trouble>,
    /// From this request on it hangs.
    pub hangs_from: Option<usize>,
    /// What happens before a request of this path is answered.
    pub before: Option<Before>,
}

pub type Before = Box<dyn FnMut(&mut Kept, &str) + Send>;

#[derive(Clone)]
pub struct Hosted {
    pub address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
}

impl Hosted {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hosted = Self { address: listener.local_addr().unwrap(), kept: Arc::default() };
        let router = axum::Router::new().fallback(answer).with_state(hosted.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        hosted
    }

    pub fn base(&self) -> String {
        format!("http://{}/client/v4", self.address)
    }

    pub fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap()
    }

    pub fn app(&self, name: &str) -> String {
        let id = fresh();
        self.kept().apps.push(json!({ "id": id, "name": name, "created_at": "2024-01-01T00:00:00.000Z" }));
        id
    }

    /// A preset with everything in it, changed.
    pub fn preset(&self, app: &str, name: &str, change: impl FnOnce(&mut Value)) -> String {
        let [host, ..] = salon_wire::rest::default_presets::default_presets();
        let mut preset = serde_json::to_value(host).unwrap();
        made(&mut preset);
        preset["name"] = name.into();
        change(&mut preset);
        self.kept().presets.entry(app.to_owned()).or_default().push(preset.clone());
        preset["id"].as_str().unwrap().to_owned()
    }

    pub fn meeting(&self, app: &str, title: &str, settings: Value) -> String {
        let mut meeting = json!({
            "title": title, "status": "ACTIVE", "record_on_start": false, "live_stream_on_start": false, "persist_chat": true,
            "transcribe_on_end": false, "summarize_on_end": false, "session_keep_alive_time_in_secs": 120,
        });
        made(&mut meeting);
        for (key, value) in settings.as_object().unwrap() {
            meeting[key] = value.clone();
        }
        self.kept().meetings.entry(app.to_owned()).or_default().push(meeting.clone());
        meeting["id"].as_str().unwrap().to_owned()
    }

    pub fn person(&self, meeting: &str, name: &str, preset: &str) -> String {
        let mut person =
            json!({ "name": name, "picture": null, "custom_participant_id": format!("own-{name}"), "preset_name": preset });
        made(&mut person);
        self.kept().people.entry(meeting.to_owned()).or_default().push(person.clone());
        person["id"].as_str().unwrap().to_owned()
    }
}

fn fresh() -> String {
    Uuid::new_v4().to_string()
}

fn made(thing: &mut Value) {
    thing["id"] = fresh().into();
    thing["created_at"] = "2024-02-01T10:00:00.000Z".into();
    thing["updated_at"] = "2024-02-02T10:00:00.000Z".into();
}

async fn answer(
    State(hosted): State<Hosted>,
    headers: HeaderMap,
    Query(query): Query<BTreeMap<String, String>>,
    request: Request,
) -> Response {
    let path = request.uri().path().to_owned();
    let trouble = {
        let mut kept = hosted.kept();
        kept.asked.push(path.clone());
        if let Some(mut before) = kept.before.take() {
            before(&mut kept, &path);
            kept.before.get_or_insert(before);
        }
        let hangs = kept.hangs_from.is_some_and(|from| kept.asked.len() > from);
        if hangs { Some(Trouble::Hangs) } else { kept.troubles.pop_front() }
    };
    match trouble {
        Some(Trouble::Says(status)) => {
            return (StatusCode::from_u16(status).unwrap(), "<html>out of order</html>").into_response();
        }
        Some(Trouble::Busy(secs)) => return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", secs.to_string())]).into_response(),
        Some(Trouble::Hangs) => std::future::pending().await,
        None => {}
    }
    assert_eq!(request.method(), "GET", "nothing is changed at the service");
    if headers.get("authorization").is_none_or(|value| value != &format!("Bearer {TOKEN}")) {
        let body = json!({ "success": false, "errors": [{ "code": 10000, "message": "Authentication error" }] });
        return (StatusCode::FORBIDDEN, Json(body)).into_response();
    }
    let prefix = format!("/client/v4/accounts/{ACCOUNT}/realtime/kit/");
    let parts: Vec<&str> = path.strip_prefix(&prefix).map(|rest| rest.split('/').collect()).unwrap_or_default();
    let kept = hosted.kept();
    let in_app = |things: &BTreeMap<String, Vec<Value>>, app: &str| things.get(app).cloned().unwrap_or_default();
    let without = |mut things: Vec<Value>, keys: &[&str]| {
        things.iter_mut().filter_map(Value::as_object_mut).for_each(|thing| keys.iter().for_each(|key| drop(thing.remove(*key))));
        things
    };
    match parts[..] {
        ["apps"] => page(kept.apps.clone(), &query),
        [app, "presets"] => page(without(in_app(&kept.presets, app), &["config", "permissions", "ui"]), &query),
        [app, "presets", id] => one(&in_app(&kept.presets, app), id),
        [app, "meetings"] => page(without(in_app(&kept.meetings, app), &["ai_config"]), &query),
        [app, "meetings", id] => one(&in_app(&kept.meetings, app), id),
        [_, "meetings", meeting, "participants"] => page(in_app(&kept.people, meeting), &query),
        _ => not_found(),
    }
}

/// The newest first, as the real one is thought to do.
fn page(things: Vec<Value>, query: &BTreeMap<String, String>) -> Response {
    let number = |key: &str, otherwise: usize| query.get(key).and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let (page, size) = (number("page_no", 1), number("per_page", MOST_PER_PAGE).min(MOST_PER_PAGE));
    let total = things.len();
    let items: Vec<_> = things.into_iter().rev().skip((page - 1) * size).take(size).collect();
    let start = if items.is_empty() { 0 } else { (page - 1) * size + 1 };
    let end = if items.is_empty() { 0 } else { start + items.len() - 1 };
    let paging = json!({ "total_count": total, "start_offset": start, "end_offset": end });
    Json(json!({ "success": true, "data": items, "paging": paging })).into_response()
}

fn one(things: &[Value], id: &str) -> Response {
    match things.iter().find(|thing| thing["id"] == id) {
        Some(thing) => Json(json!({ "success": true, "data": thing })).into_response(),
        None => not_found(),
    }
}

fn not_found() -> Response {
    let body = json!({ "success": false, "error": { "code": 404, "message": "Not found" } });
    (StatusCode::NOT_FOUND, Json(body)).into_response()
}
