//! Holds our REST types against `contract.json`, the facts of the official SDKs: per endpoint its queries, bodies
//! and answers (JSON Schema with `nullable`), for the groups Salon serves. The file is data; nothing is decided in it.
//! Two ways: examples built from the contract must survive being read and written by our types, and the schemas
//! our types publish must have the contract's properties, types, enums, bounds, and nothing else but named extras.

mod comparison;
mod reference;

use std::collections::{BTreeMap, BTreeSet};

use salon_wire::rest::active_session::*;
use salon_wire::rest::analytics::*;
use salon_wire::rest::apps::*;
use salon_wire::rest::envelope::*;
use salon_wire::rest::meetings::*;
use salon_wire::rest::participants::*;
use salon_wire::rest::presets::*;
use salon_wire::rest::recordings::*;
use salon_wire::rest::sessions::*;
use salon_wire::rest::webhooks::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::comparison::{Comparison, WITHHELD, values};
use crate::reference::{Contract, Example, keys, text};

/// Enough rounds to show each enum value and each variant once.
const ROUNDS: usize = 10;

/// What we have for one endpoint.
struct Endpoint {
    method: &'static str,
    path: &'static str,
    query: Vec<Value>,
    request: Option<Shape>,
    /// The whole answer, in its envelope.
    answer: Shape,
    /// What the envelope holds. Compared by itself: only an OpenAPI document puts the two together.
    data: Shape,
    /// Whether the envelope says where a page lies.
    paged: bool,
}

/// A type of ours: how it reads and writes JSON, and what it says of itself.
struct Shape {
    read_and_write: fn(Value) -> Result<Value, String>,
    /// Its name, which leads to its schema among the components.
    name: String,
    components: BTreeMap<String, Value>,
}

fn shape<T: Serialize + DeserializeOwned + ToSchema>() -> Shape {
    let mut components = Vec::new();
    T::schemas(&mut components);
    let as_json = |schema| serde_json::to_value(schema).expect("a schema is plain data");
    Shape {
        read_and_write: |value| {
            let read: T = serde_json::from_value(value).map_err(|error| error.to_string())?;
            Ok(serde_json::to_value(read).expect("our bodies are plain data"))
        },
        name: T::name().into_owned(),
        components: components
            .into_iter()
            .chain([(T::name().into_owned(), T::schema())])
            .map(|(name, schema)| (name, as_json(schema)))
            .collect(),
    }
}

/// An endpoint that answers with one resource, or an object around several.
fn answers<T: Serialize + DeserializeOwned + ToSchema>(method: &'static str, path: &'static str) -> Endpoint {
    let (answer, data) = (shape::<Envelope<T>>(), shape::<T>());
    Endpoint { method, path, query: Vec::new(), request: None, answer, data, paged: false }
}

/// An endpoint that answers with one page of a list.
fn lists<T: Serialize + DeserializeOwned + ToSchema>(path: &'static str) -> Endpoint {
    let (answer, data) = (shape::<Page<T>>(), shape::<T>());
    let (method, query) = ("GET", Vec::new());
    Endpoint { method, path, query, request: None, answer, data, paged: true }
}

impl Endpoint {
    fn takes<T: Serialize + DeserializeOwned + ToSchema>(mut self) -> Self {
        self.request = Some(shape::<T>());
        self
    }

    fn asked<Q: IntoParams>(mut self) -> Self {
        let parameters = Q::into_params(|| None);
        self.query =
            parameters.iter().map(|parameter| serde_json::to_value(parameter).expect("a parameter is plain data")).collect();
        self
    }
}

fn ours() -> Vec<Endpoint> {
    vec![
        answers::<Session>("GET", "meetings/{meeting_id}/active-session"),
        answers::<Affected>("POST", "meetings/{meeting_id}/active-session/kick").takes::<Targets>(),
        answers::<KickedAll>("POST", "meetings/{meeting_id}/active-session/kick-all"),
        answers::<PollCreated>("POST", "meetings/{meeting_id}/active-session/poll").takes::<PollBody>(),
        answers::<Affected>("POST", "meetings/{meeting_id}/active-session/mute").takes::<Targets>(),
        answers::<MutedAll>("POST", "meetings/{meeting_id}/active-session/mute-all").takes::<MuteAllBody>(),
        lists::<Vec<Meeting>>("meetings").asked::<MeetingsQuery>(),
        answers::<Meeting>("POST", "meetings").takes::<MeetingBody>(),
        answers::<Meeting>("GET", "meetings/{meeting_id}").asked::<MeetingQuery>(),
        answers::<Meeting>("PATCH", "meetings/{meeting_id}").takes::<MeetingPatch>(),
        answers::<Meeting>("PUT", "meetings/{meeting_id}").takes::<MeetingBody>(),
        lists::<Vec<Participant>>("meetings/{meeting_id}/participants").asked::<ParticipantsQuery>(),
        answers::<ParticipantWithToken>("POST", "meetings/{meeting_id}/participants").takes::<ParticipantBody>(),
        answers::<Participant>("GET", "meetings/{meeting_id}/participants/{participant_id}"),
        answers::<ParticipantWithToken>("PATCH", "meetings/{meeting_id}/participants/{participant_id}")
            .takes::<ParticipantPatch>(),
        answers::<DeletedParticipant>("DELETE", "meetings/{meeting_id}/participants/{participant_id}"),
        answers::<ParticipantToken>("POST", "meetings/{meeting_id}/participants/{participant_id}/token"),
        lists::<Vec<PresetListItem>>("presets").asked::<PresetsQuery>(),
        answers::<Preset>("POST", "presets").takes::<PresetBody>(),
        answers::<Preset>("GET", "presets/{preset_id}"),
        answers::<Preset>("PATCH", "presets/{preset_id}").takes::<PresetPatch>(),
        answers::<Preset>("PUT", "presets/{preset_id}").takes::<PresetBody>(),
        answers::<Preset>("DELETE", "presets/{preset_id}"),
        lists::<SessionList>("sessions").asked::<SessionsQuery>(),
        answers::<Session>("GET", "sessions/{session_id}").asked::<SessionQuery>(),
        answers::<PeerReportDetails>("GET", "sessions/peer-report/{peer_id}").asked::<PeerReportQuery>(),
        answers::<SessionChat>("GET", "sessions/{session_id}/chat"),
        answers::<SessionParticipantList>("GET", "sessions/{session_id}/participants").asked::<SessionParticipantsQuery>(),
        answers::<SessionParticipantDetails>("GET", "sessions/{session_id}/participants/{participant_id}")
            .asked::<SessionParticipantQuery>(),
        answers::<SessionTranscript>("GET", "sessions/{session_id}/transcript").asked::<TranscriptQuery>(),
        answers::<SessionSummary>("GET", "sessions/{session_id}/summary"),
        answers::<SummaryRequested>("POST", "sessions/{session_id}/summary"),
        answers::<OrgAnalytics>("GET", "analytics/daywise").asked::<DaywiseQuery>(),
        lists::<Vec<Recording>>("recordings").asked::<RecordingsQuery>(),
        answers::<Recording>("POST", "recordings").takes::<RecordingStartBody>(),
        answers::<TrackStarted>("POST", "recordings/track").takes::<TrackStartBody>(),
        answers::<Recording>("GET", "recordings/active-recording/{meeting_id}"),
        answers::<Recording>("GET", "recordings/{recording_id}"),
        answers::<Recording>("PUT", "recordings/{recording_id}").takes::<RecordingActionBody>(),
        lists::<Vec<App>>("apps").asked::<AppsQuery>(),
        answers::<AppCreated>("POST", "apps").takes::<AppBody>(),
        answers::<Vec<Webhook>>("GET", "webhooks"),
        answers::<Webhook>("POST", "webhooks").takes::<WebhookBody>(),
        answers::<Webhook>("GET", "webhooks/{webhook_id}"),
        answers::<Webhook>("PUT", "webhooks/{webhook_id}").takes::<WebhookBody>(),
        answers::<Webhook>("PATCH", "webhooks/{webhook_id}").takes::<WebhookPatch>(),
        answers::<Webhook>("DELETE", "webhooks/{webhook_id}"),
        answers::<Vec<WebhookEvent>>("GET", "webhooks/all"),
        Endpoint { answer: shape::<WebhookKeyAnswer>(), ..answers::<WebhookKey>("GET", "/.well-known/webhooks.json") },
    ]
}

#[test]
fn every_endpoint_of_the_contract_has_types() {
    let contract = Contract::read();
    let known: BTreeSet<String> = ours().iter().map(|endpoint| format!("{} {}", endpoint.method, endpoint.path)).collect();
    assert_eq!(known, contract.endpoints.keys().cloned().collect());
    for endpoint in ours() {
        let expected = contract.endpoint(endpoint.method, endpoint.path);
        assert_eq!(
            endpoint.request.is_some(),
            expected["request_body"].is_object(),
            "a body for {} {}",
            endpoint.method,
            endpoint.path
        );
    }
}

#[test]
fn answers_of_the_contract_survive_our_types() {
    let contract = Contract::read();
    for endpoint in ours() {
        let schema = &contract.endpoint(endpoint.method, endpoint.path)["success"]["schema"];
        for round in 0..ROUNDS {
            for nulls in [false, true] {
                let mut example = contract.example(schema, &Example { round, nulls, full: true });
                drop_withheld(&mut example);
                check_survival(&endpoint, &endpoint.answer, example);
            }
        }
    }
}

#[test]
fn requests_of_the_contract_survive_our_types() {
    let contract = Contract::read();
    for endpoint in ours() {
        let Some(request) = &endpoint.request else {
            continue;
        };
        let schema = &contract.endpoint(endpoint.method, endpoint.path)["request_body"];
        for round in 0..ROUNDS {
            for (nulls, full) in [(false, true), (true, true), (false, false)] {
                let example = contract.example(schema, &Example { round, nulls, full });
                check_survival(&endpoint, request, example);
            }
        }
    }
}

#[test]
fn an_error_has_the_contracts_shape() {
    let contract = Contract::read();
    let error = shape::<ErrorBody>();
    Comparison { contract: &contract, shape: &error, bounds: false }.compare_all(&contract.error, "an error");
}

#[test]
fn our_schemas_are_the_contracts() {
    let contract = Contract::read();
    for endpoint in ours() {
        let expected = contract.endpoint(endpoint.method, endpoint.path);
        let place = format!("{} {}", endpoint.method, endpoint.path);
        let envelope = contract.resolve(&expected["success"]["schema"]);
        let properties = &envelope["properties"];
        assert_eq!(keys(properties), keys(&endpoint.answer.components[&endpoint.answer.name]["properties"]), "{place}");
        assert_eq!(properties["paging"].is_object(), endpoint.paged, "{place}");
        Comparison { contract: &contract, shape: &endpoint.data, bounds: false }.compare_all(&properties["data"], &place);
        if endpoint.paged {
            let paging = shape::<Paging>();
            Comparison { contract: &contract, shape: &paging, bounds: false }.compare_all(&properties["paging"], &place);
        }
        if let Some(request) = &endpoint.request {
            Comparison { contract: &contract, shape: request, bounds: true }.compare_all(&expected["request_body"], &place);
        }
    }
}

#[test]
fn our_queries_are_the_contracts() {
    let contract = Contract::read();
    for endpoint in ours() {
        let place = format!("{} {}", endpoint.method, endpoint.path);
        let expected: BTreeMap<&str, &Value> = contract.endpoint(endpoint.method, endpoint.path)["query"]
            .as_array()
            .expect("a list of queries")
            .iter()
            .map(|query| (text(&query["name"]), query))
            .collect();
        let ours: BTreeMap<&str, &Value> = endpoint.query.iter().map(|query| (text(&query["name"]), query)).collect();
        assert!(ours.keys().eq(expected.keys()), "{place}: {ours:?}");
        for (name, query) in expected {
            assert_eq!(query["required"], ours[name]["required"], "{place} {name}");
            // A report may be asked for in several parts, which the contract's enum does not tell.
            if name != "filters" {
                assert_eq!(values(&query["schema"]), values(&ours[name]["schema"]), "{place} {name}: {}", ours[name]);
            }
            assert_eq!(query["schema"]["minimum"].as_f64(), ours[name]["schema"]["minimum"].as_f64(), "{place} {name}");
        }
    }
}

#[test]
fn null_is_told_from_absent_where_the_contract_does() {
    let check = |sent: Value, name: Option<Option<&str>>| {
        let patch: ParticipantPatch = serde_json::from_value(sent.clone()).expect("a patch");
        assert_eq!(patch.name.as_ref().map(Option::as_deref), name, "{sent}");
        assert_eq!(serde_json::to_value(patch).expect("plain data"), sent);
    };
    check(json!({}), None);
    check(json!({"name": null}), Some(None));
    check(json!({"name": "Ada"}), Some(Some("Ada")));
}

#[test]
fn unknown_keys_are_ignored_except_in_presets() {
    assert!(serde_json::from_value::<MeetingBody>(json!({"preferred_region": "eu-central-1"})).is_ok());
    assert!(serde_json::from_value::<PresetConfig>(json!({"permissions": {}})).is_err());
}

/// An example goes in and must come out; null and absent count as the same.
fn check_survival(endpoint: &Endpoint, shape: &Shape, example: Value) {
    let place = format!("{} {}", endpoint.method, endpoint.path);
    let written = (shape.read_and_write)(example.clone()).unwrap_or_else(|error| panic!("{place}: {error} in {example:#}"));
    let (written, example) = (without_nulls(written), without_nulls(example));
    assert!(written == example, "{place}: read {example:#}, wrote {written:#}");
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(object) => object
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, without_nulls(value)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect::<Vec<_>>().into(),
        other => other,
    }
}

fn drop_withheld(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|key, _| !WITHHELD.contains(&key.as_str()));
            object.values_mut().for_each(drop_withheld);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_withheld),
        _ => {}
    }
}
