//! What the hosted service told of a thing, as a row of ours, with what could not be kept of it said.
//! Pure. Invariant: what is not known here is left out and named, never kept unseen; nothing gets more rights than there.
//! Next: `import.rs`, which has rows stored.

use salon_core::{AppId, MeetingId, ParticipantId, PresetId, Timestamp};
use salon_doors::rest::KeepAlive;
use salon_doors::rest::brought;
use salon_doors::rfc3339::parse_rfc3339;
use salon_store::{Meeting, Preset};
use salon_wire::rest::default_presets::assumed_preset;
use serde_json::{Map, Value};

/// Keys that are taken out of one preset, one by one, before it is given up.
const MAX_UNKNOWN: usize = 200;

/// Letters of a key or value from there that are repeated in a sentence.
const MAX_QUOTED: usize = 100;

/// A row, and what is not as it was there.
#[derive(Debug)]
pub struct Taken<T> {
    pub row: T,
    pub remarks: Vec<String>,
}

/// A participant, whose preset is yet to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub id: ParticipantId,
    pub name: Option<String>,
    pub picture: Option<String>,
    pub custom_participant_id: String,
    pub preset_name: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// # Errors
/// It cannot be had here, and why.
pub fn preset(app: &AppId, told: &Value, now: Timestamp) -> Result<Taken<Preset>, String> {
    let id = PresetId::parse(text(told, "id")).map_err(|why| format!("its id cannot be kept: {why}"))?;
    let (created_at, updated_at) = times(told, now);
    let mut remarks = Vec::new();
    let mut body = told.clone();
    strip_nulls(&mut body);
    let whole = body.as_object_mut().ok_or("the service told nothing of it")?;
    whole.retain(|key, _| !["id", "created_at", "updated_at"].contains(&key.as_str()));
    for part in ["config", "permissions"] {
        if !whole.get(part).is_some_and(Value::is_object) {
            return Err(format!("the service told no `{part}` of it"));
        }
    }
    let assumed = serde_json::to_value(assumed_preset("")).map_err(|error| error.to_string())?;
    fill(&mut body, &assumed, "", &mut remarks);
    for _ in 0..MAX_UNKNOWN {
        match brought::preset(app, id.clone(), &body, created_at) {
            Ok(row) => return Ok(Taken { row: Preset { updated_at, ..row }, remarks }),
            Err(why) => match unknown(&why).filter(|path| remove(&mut body, path)) {
                Some(path) => remarks.push(format!("`{path}` is not known here, and was left out")),
                None => return Err(why),
            },
        }
    }
    Err(format!("more than {MAX_UNKNOWN} of its keys are not known here"))
}

/// # Errors
/// It cannot be had here, and why.
pub fn meeting(app: &AppId, told: &Value, keep_alive: &KeepAlive, now: Timestamp) -> Result<Taken<Meeting>, String> {
    let id = MeetingId::parse(text(told, "id")).map_err(|why| format!("its id cannot be kept: {why}"))?;
    let (created_at, updated_at) = times(told, now);
    let whole = told.as_object().ok_or("the service told nothing of it")?;
    let mut remarks = not_known(whole, |key| brought::MEETING.contains(&key));
    let mut body = Map::new();
    for key in brought::MEETING.into_iter().filter(|key| *key != "status") {
        let mut value = whole.get(key).cloned().unwrap_or_default();
        strip_nulls(&mut value);
        if !value.is_null() {
            body.insert(key.to_owned(), value);
        }
    }
    let active = match whole.get("status").and_then(Value::as_str) {
        Some("INACTIVE") => false,
        Some("ACTIVE") | None => true,
        Some(other) => return Err(format!("its status is {}, which is not known here", quoted(other))),
    };
    let blank = Meeting { active, created_at, updated_at, ..Meeting::blank(id, app.clone(), created_at) };
    if let Err(why) = brought::title(body.get("title").and_then(Value::as_str).map(str::to_owned)) {
        body.remove("title");
        remarks.push(format!("its title was not kept: {why}"));
    }
    let key = "session_keep_alive_time_in_secs";
    if let Some(secs) = body.get(key).and_then(Value::as_f64) {
        let kept = secs.clamp(keep_alive.min_secs.into(), keep_alive.max_secs.into());
        if kept != secs {
            remarks.push(format!(
                "`{key}` became {kept}: more or less is not allowed by limits.session_keep_alive_min_secs and _max_secs"
            ));
            body.insert(key.to_owned(), kept.into());
        }
    }
    for part in ["recording_config", "ai_config"] {
        let Some(sent) = body.get(part) else { continue };
        let alone = Value::Object([(part.to_owned(), sent.clone())].into_iter().collect());
        match brought::meeting(blank.clone(), &alone, keep_alive) {
            Ok(read) => {
                let kept = if part == "ai_config" { read.ai_config } else { read.recording_config };
                let mut lost = Vec::new();
                paths_without(sent, &kept.unwrap_or_default(), part, &mut lost);
                remarks.extend(lost.iter().map(|path| format!("`{path}` is not known here, and was left out")));
            }
            Err(why) => {
                remarks.push(format!("`{part}` was not kept: {why}"));
                body.remove(part);
            }
        }
    }
    if body.get("recording_config").is_some_and(|config| config["storage_config"].is_object()) {
        remarks.push(
            "`recording_config.storage_config`: its secrets are told to nobody; set them with PATCH, or recordings go nowhere"
                .to_owned(),
        );
    }
    Ok(Taken { row: brought::meeting(blank, &Value::Object(body), keep_alive)?, remarks })
}

/// # Errors
/// It cannot be had here, and why.
pub fn person(told: &Value, now: Timestamp) -> Result<Taken<Person>, String> {
    let id = ParticipantId::parse(text(told, "id")).map_err(|why| format!("its id cannot be kept: {why}"))?;
    let (created_at, updated_at) = times(told, now);
    let whole = told.as_object().ok_or("the service told nothing of it")?;
    // Tokens are told by none of these lists; one that is would be worth nothing here.
    let known = ["name", "picture", "custom_participant_id", "preset_name", "token"];
    let mut remarks = not_known(whole, |key| known.contains(&key));
    let given = |key: &str| whole.get(key).and_then(Value::as_str).map(str::to_owned);
    let custom_participant_id = given("custom_participant_id").ok_or("the service told no `custom_participant_id` of it")?;
    brought::custom_id(&custom_participant_id)?;
    let preset_name = given("preset_name").ok_or("the service told no `preset_name` of it")?.trim().to_owned();
    let mut kept = |what: &str, checked: Result<Option<String>, String>| {
        checked.unwrap_or_else(|why| {
            remarks.push(format!("its {what} was not kept: {why}"));
            None
        })
    };
    let name = kept("name", brought::name(given("name")));
    let picture = kept("picture", brought::picture(given("picture")));
    let row = Person { id, name, picture, custom_participant_id, preset_name, created_at, updated_at };
    Ok(Taken { row, remarks })
}

fn text<'v>(told: &'v Value, key: &str) -> &'v str {
    told[key].as_str().unwrap_or_default()
}

/// When it was made and last changed; one that does not say so is as of now.
fn times(told: &Value, now: Timestamp) -> (Timestamp, Timestamp) {
    let created_at = parse_rfc3339(text(told, "created_at")).unwrap_or(now);
    (created_at, parse_rfc3339(text(told, "updated_at")).unwrap_or(created_at).max(created_at))
}

/// A remark for each key that is neither known nor one that everything has.
fn not_known(whole: &Map<String, Value>, known: impl Fn(&str) -> bool) -> Vec<String> {
    let everywhere = ["id", "created_at", "updated_at"];
    let others = whole.iter().filter(|(key, value)| !value.is_null() && !known(key) && !everywhere.contains(&key.as_str()));
    others.map(|(key, _)| format!("`{}` is not known here, and was left out", quoted(key))).collect()
}

/// What is null is not said.
fn strip_nulls(value: &mut Value) {
    match value {
        Value::Object(parts) => {
            parts.retain(|_, part| !part.is_null());
            parts.values_mut().for_each(strip_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_nulls),
        _ => {}
    }
}

/// Puts in what `assumed` has and `body` has not, and says so.
fn fill(body: &mut Value, assumed: &Value, path: &str, remarks: &mut Vec<String>) {
    let (Value::Object(body), Value::Object(assumed)) = (body, assumed) else { return };
    for (key, value) in assumed {
        let at = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match body.get_mut(key) {
            Some(there) => fill(there, value, &at, remarks),
            None if at == "name" => {}
            None => {
                let shown = if value.is_object() { "" } else { &format!(": {value}") };
                remarks.push(format!("`{at}` was not told, and is as clients assume it{shown}"));
                body.insert(key.clone(), value.clone());
            }
        }
    }
}

/// The path of a key that is refused because nobody knows it.
fn unknown(why: &str) -> Option<String> {
    Some(why.strip_prefix('"')?.strip_suffix("\" is not allowed")?.to_owned())
}

/// Takes what is at this path out; answers whether it was there. A key may have dots in it.
fn remove(value: &mut Value, path: &str) -> bool {
    let Some(parts) = value.as_object_mut() else { return false };
    if parts.remove(path).is_some() {
        return true;
    }
    path.match_indices('.').any(|(at, _)| parts.get_mut(&path[..at]).is_some_and(|part| remove(part, &path[at + 1..])))
}

/// The paths of what `sent` has and `kept` has not.
fn paths_without(sent: &Value, kept: &Value, path: &str, lost: &mut Vec<String>) {
    let Value::Object(sent) = sent else { return };
    for (key, value) in sent {
        let at = format!("{path}.{}", quoted(key));
        match kept.get(key) {
            Some(kept) => paths_without(value, kept, &at, lost),
            None => lost.push(at),
        }
    }
}

/// What somebody wrote, fit for a line of ours.
fn quoted(text: &str) -> String {
    text.chars().take(MAX_QUOTED).collect::<String>().escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);
    const KEEP_ALIVE: KeepAlive = KeepAlive { min_secs: 60, max_secs: 300, default_secs: 60 };

    fn app() -> AppId {
        AppId::parse("app").unwrap()
    }

    fn told_preset() -> Value {
        let mut told = serde_json::to_value(assumed_preset("host")).unwrap();
        told["id"] = "p1".into();
        told["created_at"] = "2024-01-02T03:04:05.000Z".into();
        told["updated_at"] = "2025-01-02T03:04:05.000Z".into();
        told
    }

    #[test]
    fn a_preset_comes_whole() {
        let Taken { row, remarks } = preset(&app(), &told_preset(), NOW).unwrap();
        assert!(remarks.is_empty(), "{remarks:?}");
        assert_eq!((row.id.as_str(), row.name.as_str()), ("p1", "host"));
        assert!(row.created_at < row.updated_at && row.updated_at < NOW);
        assert_eq!(row.body["permissions"], told_preset()["permissions"]);
    }

    #[test]
    fn what_is_not_known_of_a_preset_is_left_out_and_named() {
        let mut told = told_preset();
        told["permissions"]["can_teleport"] = true.into();
        told["permissions"]["media"]["smell"] = json!({"can_produce": "ALLOWED"});
        told["a.b"] = 1.into();
        told["ui"]["design_tokens"]["logo"] = Value::Null;
        let Taken { row, mut remarks } = preset(&app(), &told, NOW).unwrap();
        remarks.sort();
        let left_out = |path: &str| format!("`{path}` is not known here, and was left out");
        assert_eq!(remarks, [left_out("a.b"), left_out("permissions.can_teleport"), left_out("permissions.media.smell")]);
        assert_eq!(row.body["permissions"], told_preset()["permissions"]);
    }

    #[test]
    fn what_a_preset_does_not_say_is_as_clients_assume_it() {
        let mut told = told_preset();
        told["permissions"].as_object_mut().unwrap().remove("can_spotlight");
        told["permissions"]["kick_participant"] = Value::Null;
        told.as_object_mut().unwrap().remove("ui");
        let Taken { row, remarks } = preset(&app(), &told, NOW).unwrap();
        assert_eq!(row.body["permissions"]["kick_participant"], false);
        let expected = [
            "`permissions.can_spotlight` was not told, and is as clients assume it: false",
            "`permissions.kick_participant` was not told, and is as clients assume it: false",
            "`ui` was not told, and is as clients assume it",
        ];
        assert_eq!(remarks, expected);
        told.as_object_mut().unwrap().remove("permissions");
        assert_eq!(preset(&app(), &told, NOW).unwrap_err(), "the service told no `permissions` of it");
    }

    #[test]
    fn a_preset_that_nobody_could_make_here_is_refused_with_the_reason() {
        let mut told = told_preset();
        told["config"]["media"]["video"]["frame_rate"] = 60.into();
        assert_eq!(preset(&app(), &told, NOW).unwrap_err(), "\"config.media.video.frame_rate\" must be between 0 and 30");
        told = told_preset();
        told["config"]["view_type"] = "HOLODECK".into();
        assert!(preset(&app(), &told, NOW).unwrap_err().contains("config.view_type"));
        told = told_preset();
        told["id"] = "a/b".into();
        assert!(preset(&app(), &told, NOW).unwrap_err().starts_with("its id cannot be kept"));
    }

    #[test]
    fn a_meeting_comes_with_its_settings_or_says_what_it_lost() {
        let told = json!({
            "id": "m1", "title": "Weekly", "status": "INACTIVE", "record_on_start": true, "persist_chat": null,
            "session_keep_alive_time_in_secs": 600, "preferred_region": "eu", "created_at": "2024-01-02T03:04:05.000Z",
            "recording_config": {
                "max_seconds": 600, "video_config": {"codec": "VP9", "hdr": true},
                "storage_config": {"type": "aws", "bucket": "b"},
            },
            "ai_config": {"summarization": {"word_limit": 5}},
        });
        let Taken { row, remarks } = meeting(&app(), &told, &KEEP_ALIVE, NOW).unwrap();
        assert!(!row.active && row.record_on_start && !row.persist_chat);
        assert_eq!((row.title.as_deref(), row.keep_alive_secs, row.updated_at), (Some("Weekly"), 300, row.created_at));
        assert_eq!(row.recording_config.as_ref().unwrap()["video_config"], json!({"codec": "VP9"}));
        assert_eq!(row.ai_config, None);
        let remarks = remarks.join("\n");
        for part in [
            "`preferred_region` is not known here",
            "`session_keep_alive_time_in_secs` became 300",
            "`recording_config.video_config.hdr` is not known here",
            "`ai_config` was not kept: \"ai_config.summarization.word_limit\" must be greater than or equal to 150",
            "`recording_config.storage_config`: its secrets",
        ] {
            assert!(remarks.contains(part), "{part}: {remarks}");
        }
        assert!(meeting(&app(), &json!({"id": "m", "record_on_start": "yes"}), &KEEP_ALIVE, NOW).is_err());
    }

    #[test]
    fn a_person_comes_without_a_name_that_nobody_may_have() {
        let told = json!({
            "id": "u1", "name": "Ann\u{202e}", "picture": "javascript:x", "custom_participant_id": "ann",
            "preset_name": " host ", "client": 1,
        });
        let Taken { row, remarks } = person(&told, NOW).unwrap();
        assert_eq!((row.name, row.picture, row.preset_name.as_str()), (None, None, "host"));
        assert_eq!(remarks.len(), 3, "{remarks:?}");
        assert!(person(&json!({"id": "u1", "preset_name": "host"}), NOW).unwrap_err().contains("custom_participant_id"));
    }
}
