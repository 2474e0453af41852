//! The document the server gives of itself, against the facts of the official SDKs: the same paths, methods, statuses,
//! parameters, bodies and answers, but for the differences listed here.

#[path = "support/node.rs"]
mod support;

use std::collections::BTreeSet;

use serde_json::Value;
use support::TestApp;
use support::contract::{CONTRACT, resolve};

/// What is different, and why.
const DIFFERENCES: &[(&str, &str)] = &[
    // Free data of a session, in the API reference and older SDKs; never sent.
    (".meta", "only ours"),
    // The chat as JSON, for those who ask.
    ("GET /sessions/{session_id}/chat ?format", "only ours"),
    // The place of this list: in an example of the older API, not in the SDKs' types.
    ("GET /sessions/{session_id}/participants 200.paging", "only ours"),
    // For readers of the general Cloudflare shape of errors.
    (".errors", "only ours"),
    // The list's place once more, as an example of the older API has it.
    ("data.paging", "only ours"),
    // Carried by the client SDK's own default preset.
    ("config.track_recording", "only ours"),
    ("ui.config_diff", "only ours"),
    // Any language: the product guide has many more than the SDKs' ten.
    ("transcription.language", "values"),
    // Merged before it is read, so any part of a preset: an object without a list of fields.
    ("PATCH /presets/{preset_id} request", "opaque"),
    // Several may be asked for, separated by commas.
    ("filters", "values"),
    // One type serves lists and details; lists leave it out.
    ("GET /meetings 200.data[].ai_config", "only ours"),
    // What the guide to track recordings has, in the one type that serves all answers; and why one failed.
    (".type", "only ours"),
    (".meeting_id", "only ours"),
    (".err_message", "only ours"),
    (".start_reason", "only ours"),
    (".stop_reason", "only ours"),
    (".storage_config", "only ours"),
    (".meeting", "only ours"),
    (".meeting.ai_config", "only ours"),
    // About 150 optional measurements, given on as they are.
    ("participant.peer_report", "opaque"),
];

/// Where the resources of an app are.
const KIT: &str = "/accounts/{account_id}/realtime/kit/{app_id}";

/// What the contract does not have: Salon's own, under addresses beside those of the contract.
const OWN: &[(&str, &str)] = &[
    ("get", "/meetings/{meeting_id}/active-session/quality"),
    ("get", "/meetings/{meeting_id}/active-session/between"),
    ("get", "/meetings/{meeting_id}/entrance"),
    ("get", "/meetings/{meeting_id}/active-session/people"),
    ("get", "/meetings/{meeting_id}/active-session/people/stream"),
    ("get", "/sessions/{session_id}/peers/{peer_id}/quality"),
    ("get", "/active-sessions"),
    ("get", "/active-sessions/stream"),
    ("post", "/stream-tickets"),
    ("get", "/analytics/hours"),
    ("get", "/webhooks/{webhook_id}/deliveries"),
    ("get", "/webhooks/{webhook_id}/deliveries/{delivery_id}"),
    ("post", "/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver"),
    ("post", "/webhooks/{webhook_id}/test"),
    ("post", "/webhooks/{webhook_id}/replay"),
    ("post", "/webhooks/{webhook_id}/secret"),
    ("delete", "/webhooks/{webhook_id}/secret"),
    ("get", "/events"),
    ("post", "/erasures"),
    ("get", "/peers"),
    ("get", "/sessions/{session_id}/timeline"),
    ("get", "/sessions/{session_id}/between"),
    // What the SDKs ask of livestreams, which the file has no facts of: `tests/conformance` does.
    ("get", "/livestreams"),
    ("post", "/livestreams"),
    ("put", "/livestreams/{livestream_id}/enable"),
    ("put", "/livestreams/{livestream_id}/disable"),
    ("post", "/livestreams/{livestream_id}/reset-stream-key"),
    ("get", "/livestreams/{livestream_id}"),
    ("get", "/livestreams/{livestream_id}/active-livestream-session"),
    ("get", "/livestreams/sessions/{livestream_session_id}"),
    ("post", "/meetings/{meeting_id}/livestreams"),
    ("get", "/meetings/{meeting_id}/active-livestream"),
    ("post", "/meetings/{meeting_id}/active-livestream/stop"),
    ("get", "/meetings/{meeting_id}/livestream"),
    ("get", "/sessions/{session_id}/livestream-sessions"),
    ("get", "/analytics/livestreams/overall"),
    ("get", "/analytics/livestreams/daywise"),
];

/// The same beside the apps of an account.
const OWN_OF_ACCOUNTS: &[(&str, &str)] = &[
    ("get", "/accounts/{account_id}/audit-log"),
    ("get", "/accounts/{account_id}/api-keys"),
    ("post", "/accounts/{account_id}/api-keys"),
    ("get", "/accounts/{account_id}/api-keys/{key_id}"),
    ("patch", "/accounts/{account_id}/api-keys/{key_id}"),
    ("delete", "/accounts/{account_id}/api-keys/{key_id}"),
    ("post", "/accounts/{account_id}/api-keys/{key_id}/rotate"),
];

struct Comparison {
    ours: Value,
    found: BTreeSet<String>,
    /// Differences of the list that were there.
    met: BTreeSet<&'static (&'static str, &'static str)>,
}

impl Comparison {
    fn differ(&mut self, at: &str, kind: &str, what: impl std::fmt::Display) {
        if !self.is_known(at, kind) {
            self.found.insert(format!("{at}: {kind} {what}"));
        }
    }

    fn is_known(&mut self, at: &str, kind: &str) -> bool {
        let known = DIFFERENCES.iter().find(|(place, difference)| at.ends_with(place) && *difference == kind);
        self.met.extend(known);
        known.is_some()
    }

    /// Our schema without references and without its null.
    fn own(&self, schema: &Value) -> Value {
        if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/components/schemas/")) {
            return self.own(&self.ours["components"]["schemas"][name]);
        }
        match schema["oneOf"].as_array() {
            Some(choices) => {
                choices.iter().find(|choice| choice["type"] != "null").map_or(Value::Null, |choice| self.own(choice))
            }
            None => schema.clone(),
        }
    }

    fn compare(&mut self, theirs: &Value, ours: &Value, at: &str, answer: bool) {
        let (theirs, ours) = (resolve(theirs), self.own(ours));
        if self.is_known(at, "opaque") {
            return;
        }
        // What the contract does not describe, it does not bind.
        if theirs["type"].is_null() {
            return;
        }
        let kind = match &ours["type"] {
            Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null").cloned().unwrap_or_default(),
            kind => kind.clone(),
        };
        let numbers = [&theirs["type"], &kind].iter().all(|kind| **kind == "number" || **kind == "integer");
        if theirs["type"] != kind && !numbers {
            self.differ(at, "type", format_args!("{} / {kind}", theirs["type"]));
        }
        let values =
            |schema: &Value| schema["enum"].as_array().map(|values| values.iter().map(Value::to_string).collect::<BTreeSet<_>>());
        if values(theirs) != values(&ours) {
            self.differ(at, "values", format_args!("{:?} / {:?}", values(theirs), values(&ours)));
        }
        let required = |schema: &Value| {
            schema["required"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default()
                .iter()
                .map(Value::to_string)
                .collect::<BTreeSet<_>>()
        };
        // An answer may promise more than the contract does, a request may not demand more.
        let (needed, promised) = (required(theirs), required(&ours));
        if !needed.is_subset(&promised) || (!answer && needed != promised) {
            self.differ(at, "required", format_args!("{needed:?} / {promised:?}"));
        }
        let none = serde_json::Map::new();
        let fields = |schema: &Value| schema["properties"].as_object().unwrap_or(&none).clone();
        let (known, own) = (fields(theirs), fields(&ours));
        for (name, schema) in &known {
            match own.get(name) {
                Some(ours) => self.compare(schema, ours, &format!("{at}.{name}"), answer),
                None => self.differ(&format!("{at}.{name}"), "only theirs", ""),
            }
        }
        for name in own.keys().filter(|name| !known.contains_key(*name)) {
            self.differ(&format!("{at}.{name}"), "only ours", "");
        }
        if theirs["type"] == "array" {
            self.compare(&theirs["items"], &ours["items"], &format!("{at}[]"), answer);
        }
    }
}

/// What a call answers beside success, whatever it is about.
fn refusals_of(path: &str, body: bool) -> impl Iterator<Item = &'static str> {
    let app = path.contains("{app_id}").then_some("404");
    let key = if path.contains("{account_id}") { &["400", "403", "429"][..] } else { &[] };
    let sent = if body { &["408", "413", "422"][..] } else { &[] };
    ["421", "500", "503"].into_iter().chain(app).chain(key.iter().chain(sent).copied())
}

#[tokio::test]
async fn it_is_the_published_contract() {
    let app = TestApp::dev().await;
    let ours = app.bare("GET", "/openapi.json").send().await.expect(200);
    let mut all = Comparison { ours: ours.clone(), found: BTreeSet::new(), met: BTreeSet::new() };
    let mut known = BTreeSet::new();
    for endpoint in CONTRACT["endpoints"].as_array().expect("a list") {
        let (method, path) = (endpoint["method"].as_str().expect("a method"), endpoint["path"].as_str().expect("a path"));
        let at = format!("{method} {}", support::contract::tail(path));
        known.insert((method.to_lowercase(), path.to_owned()));
        let operation = &ours["paths"][path][method.to_lowercase()];
        if operation.is_null() {
            all.found.insert(format!("{at}: not served"));
            continue;
        }
        let parameters = |kind: &str| -> Vec<&Value> {
            operation["parameters"].as_array().into_iter().flatten().filter(|parameter| parameter["in"] == kind).collect()
        };
        let in_path: BTreeSet<_> =
            parameters("path").iter().map(|parameter| format!("{{{}}}", parameter["name"].as_str().expect("a name"))).collect();
        let expected: BTreeSet<_> = path.split('/').filter(|part| part.starts_with('{')).map(str::to_owned).collect();
        assert_eq!(in_path, expected, "{at}");
        let queries = endpoint["query"].as_array().expect("a list");
        for query in queries {
            let name = query["name"].as_str().expect("a name");
            match parameters("query").into_iter().find(|parameter| parameter["name"] == name).cloned() {
                Some(own) => {
                    all.compare(&query["schema"], &own["schema"], &format!("{at} ?{name}"), true);
                    assert_ne!(own["required"], true, "{at} ?{name}");
                }
                None => drop(all.found.insert(format!("{at} ?{name}: missing"))),
            }
        }
        for own in parameters("query") {
            if !queries.iter().any(|query| query["name"] == own["name"]) {
                all.differ(&format!("{at} ?{}", own["name"].as_str().expect("a name")), "only ours", "");
            }
        }
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        match (endpoint.get("request_body"), body.is_null()) {
            (Some(schema), false) => all.compare(schema, &body.clone(), &format!("{at} request"), false),
            (None, true) => {}
            _ => drop(all.found.insert(format!("{at}: a body on one side only"))),
        }
        let status = endpoint["success"]["status"].to_string();
        let answers: Vec<_> =
            operation["responses"].as_object().expect("answers").keys().filter(|status| status.starts_with('2')).collect();
        assert_eq!(answers, [&status], "{at}");
        let answer = operation["responses"][&status]["content"]["application/json"]["schema"].clone();
        all.compare(&endpoint["success"]["schema"], &answer, &format!("{at} {status}"), true);
        for status in refusals_of(path, !body.is_null()) {
            assert!(!operation["responses"][status].is_null(), "{at}: {status} is not described");
        }
        for (status, refusal) in
            operation["responses"].as_object().expect("answers").iter().filter(|(status, _)| !status.starts_with('2'))
        {
            let shared = refusal["$ref"].as_str().and_then(|name| name.strip_prefix("#/components/responses/"));
            let refusal = shared.map_or(refusal, |name| &ours["components"]["responses"][name]);
            all.compare(
                &CONTRACT["error_schema"],
                &refusal["content"]["application/json"]["schema"].clone(),
                &format!("{at} error {status}"),
                true,
            );
        }
    }
    let served: BTreeSet<_> = ours["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .flat_map(|(path, item)| item.as_object().expect("methods").keys().map(move |method| (method.clone(), path.clone())))
        .collect();
    known.extend(OWN.iter().map(|(method, path)| ((*method).to_owned(), format!("{KIT}{path}"))));
    known.extend(OWN_OF_ACCOUNTS.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned())));
    assert_eq!(served, known);
    let stale: Vec<_> = DIFFERENCES.iter().filter(|difference| !all.met.contains(difference)).collect();
    assert!(stale.is_empty(), "no differences any more: {stale:?}");
    let found: Vec<_> = all.found.into_iter().collect();
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}
