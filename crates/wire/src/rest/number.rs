//! Numbers as JavaScript and Python write them: `6`, `6.0` and `6.5` are one type there.
//! Used through serde's `with` and `deserialize_with`; whole values leave without a fraction.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

/// The largest whole number every reader of JSON keeps exactly, 2^53.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

/// Writes `30`, not `30.0`, when nothing follows the point.
pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.fract() == 0.0 && value.abs() <= LARGEST_EXACT {
        serializer.serialize_i64(*value as i64)
    } else {
        serializer.serialize_f64(*value)
    }
}

/// Reads any JSON number.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    f64::deserialize(deserializer)
}

/// Reads a count that may be written with an empty fraction: `6` and `6.0`, but not `6.5` or `-6`.
pub fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let value = f64::deserialize(deserializer)?;
    if value.fract() != 0.0 || !(0.0..=f64::from(u32::MAX)).contains(&value) {
        return Err(D::Error::custom(format_args!("{value} is not a whole number from 0 up")));
    }
    Ok(value as u32)
}

/// [`whole`] for a field that may be missing or null.
pub fn whole_or_absent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    struct Whole(u32);
    impl<'de> Deserialize<'de> for Whole {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            whole(deserializer).map(Whole)
        }
    }
    Ok(Option::<Whole>::deserialize(deserializer)?.map(|Whole(value)| value))
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    struct Sample {
        #[serde(with = "super")]
        rate: f64,
        #[serde(deserialize_with = "super::whole")]
        count: u32,
        #[serde(default, deserialize_with = "super::whole_or_absent")]
        bound: Option<u32>,
    }

    #[test]
    fn whole_numbers_travel_without_a_fraction() {
        let cases = [
            (r#"{"rate":30.0,"count":6.0,"bound":60}"#, Some(r#"{"rate":30,"count":6,"bound":60}"#)),
            (r#"{"rate":29.97,"count":0}"#, Some(r#"{"rate":29.97,"count":0,"bound":null}"#)),
            (r#"{"rate":1,"count":1,"bound":null}"#, Some(r#"{"rate":1,"count":1,"bound":null}"#)),
            (r#"{"rate":1,"count":6.5}"#, None),
            (r#"{"rate":1,"count":-1}"#, None),
            (r#"{"rate":1,"count":1,"bound":5e9}"#, None),
            (r#"{"rate":1,"count":"6"}"#, None),
        ];
        for (sent, answered) in cases {
            let read = serde_json::from_str::<Sample>(sent).ok();
            let written = read.map(|sample| serde_json::to_string(&sample).expect("plain data"));
            assert_eq!(written.as_deref(), answered, "{sent}");
        }
    }
}
