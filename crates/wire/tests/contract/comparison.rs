//! A schema our types publish beside one of the contract: same properties, types, enums, null and bounds.
//! Where they may differ is named at the top.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::Shape;
use crate::reference::{Contract, keys, strings, text};

/// Properties we have and the contract has not, each explained at its field.
const EXTRAS: [&str; 19] = [
    "Session.meta",
    "SessionParticipantList.paging",
    "PresetConfig.track_recording",
    "PresetUi.config_diff",
    "GET meetings[].ai_config",
    "ErrorBody.errors",
    "GET recordings[].type",
    "GET recordings[].meeting_id",
    "GET recordings[].err_message",
    "GET recordings[].start_reason",
    "GET recordings[].stop_reason",
    "Meeting.ai_config",
    "Recording.type",
    "Recording.meeting_id",
    "Recording.err_message",
    "Recording.start_reason",
    "Recording.stop_reason",
    "Recording.storage_config",
    "Recording.meeting",
];

/// Enum values we take beyond the contract's.
const EXTRA_VALUES: [&str; 1] = ["cloudflare"];

/// Types that hold what they are given without looking inside.
const OPAQUE: [&str; 3] = ["PeerReport", "PluginConfig", "PresetPatch"];

/// Properties of the contract that we never send: a storage credential.
pub const WITHHELD: [&str; 1] = ["access_key"];

/// Compares a schema of ours with one of the contract, side by side.
pub struct Comparison<'a> {
    pub contract: &'a Contract,
    pub shape: &'a Shape,
    /// Whether bounds and defaults matter: in requests they tell callers what is taken.
    pub bounds: bool,
}

impl Comparison<'_> {
    /// Compares the whole type, and all it refers to.
    pub fn compare_all(&self, theirs: &Value, place: &str) {
        let reference = json!({ "$ref": format!("#/components/schemas/{}", self.shape.name) });
        self.compare(&reference, theirs, place);
    }

    fn compare(&self, ours: &Value, theirs: &Value, place: &str) {
        let theirs = self.contract.resolve(theirs);
        let (ours, name, nullable) = self.resolve(ours);
        if OPAQUE.contains(&name.unwrap_or_default()) || theirs == json!({}) {
            return;
        }
        if theirs["nullable"] == true || nullable {
            assert_eq!(theirs["nullable"] == true, nullable, "null for {place}: {ours}");
        }
        if let Some(variants) = theirs["oneOf"].as_array() {
            let mut properties = BTreeSet::new();
            for variant in variants {
                let variant = self.contract.resolve(variant);
                properties.extend(keys(&variant["properties"]));
            }
            properties.retain(|key| self.bounds || !WITHHELD.contains(&key.as_str()));
            assert_eq!(keys(&ours["properties"]), properties, "{place}");
            return;
        }
        if self.bounds {
            for bound in ["minimum", "maximum"] {
                if !theirs[bound].is_null() {
                    assert_eq!(ours[bound].as_f64(), theirs[bound].as_f64(), "{bound} of {place}: {ours}");
                }
            }
            if theirs["default"].is_boolean() || theirs["default"].is_number() {
                assert_eq!(ours["default"].as_f64(), theirs["default"].as_f64(), "default of {place}");
                assert_eq!(ours["default"].as_bool(), theirs["default"].as_bool(), "default of {place}");
            }
        }
        match text(&theirs["type"]) {
            "object" => self.compare_objects(&ours, &theirs, name.unwrap_or(place), place),
            "array" => {
                assert_eq!(ours["type"], "array", "{place}: {ours}");
                self.compare(&ours["items"], &theirs["items"], &format!("{place}[]"));
            }
            "number" => assert!(ours["type"] == "number" || ours["type"] == "integer", "{place}: {ours}"),
            scalar => {
                assert_eq!(ours["type"], scalar, "{place}: {ours}");
                // A language is any code: the contract's list is shorter than the product's.
                if !place.ends_with(".language") {
                    assert_eq!(values(&ours), values(&theirs), "{place}");
                }
            }
        }
    }

    fn compare_objects(&self, ours: &Value, theirs: &Value, name: &str, place: &str) {
        assert_eq!(ours["type"], "object", "{place}: {ours}");
        if theirs["additionalProperties"].is_object() {
            assert!(ours["additionalProperties"].is_object(), "{place}: {ours}");
            return;
        }
        let is_extra = |key: &String| EXTRAS.contains(&format!("{name}.{key}").as_str());
        let expected = keys(&theirs["properties"]);
        let have = keys(&ours["properties"]);
        let surplus: Vec<&String> = have.difference(&expected).filter(|key| !is_extra(key)).collect();
        let missing: Vec<&String> = expected.difference(&have).collect();
        assert!(surplus.is_empty() && missing.is_empty(), "{place}: surplus {surplus:?}, missing {missing:?}");

        let required = strings(&ours["required"]);
        let demanded = strings(&theirs["required"]);
        // Requests must not ask for more than the contract, answers must not promise less.
        if self.bounds {
            assert_eq!(required, demanded, "required in {place}");
        } else {
            let weaker: Vec<&String> = demanded.difference(&required).collect();
            assert!(weaker.is_empty(), "not always in {place}: {weaker:?}");
        }
        for key in &expected {
            self.compare(&ours["properties"][key], &theirs["properties"][key], &format!("{place}.{key}"));
        }
    }

    /// Follows a reference and takes null apart: the bare schema, its type's name, and whether null is allowed.
    fn resolve(&self, schema: &Value) -> (Value, Option<&str>, bool) {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().expect("a reference has a name");
            let (name, component) = self
                .shape
                .components
                .get_key_value(name)
                .unwrap_or_else(|| panic!("{name} is not among {:?}", self.shape.components.keys()));
            return (component.clone(), Some(name), false);
        }
        for combination in ["oneOf", "allOf"] {
            if let Some(variants) = schema[combination].as_array() {
                let (nulls, others): (Vec<&Value>, Vec<&Value>) = variants.iter().partition(|variant| variant["type"] == "null");
                assert_eq!(others.len(), 1, "one shape in {schema}");
                let (inner, name, nullable) = self.resolve(others[0]);
                return (inner, name, nullable || !nulls.is_empty());
            }
        }
        if let Some(types) = schema["type"].as_array() {
            let mut bare = schema.clone();
            let kept: Vec<&Value> = types.iter().filter(|kind| *kind != "null").collect();
            assert_eq!(kept.len(), 1, "one type in {schema}");
            bare["type"] = kept[0].clone();
            return (bare, None, kept.len() < types.len());
        }
        (schema.clone(), None, false)
    }
}

/// The values of an enum; none for other schemas.
pub fn values(schema: &Value) -> BTreeSet<String> {
    let mut values: BTreeSet<String> = schema["enum"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|value| !value.is_null())
        .map(|value| text(value).to_owned())
        .collect();
    values.retain(|value| !EXTRA_VALUES.contains(&value.as_str()));
    for variant in schema["oneOf"].as_array().into_iter().flatten() {
        values.extend(self::values(variant));
    }
    values
}
