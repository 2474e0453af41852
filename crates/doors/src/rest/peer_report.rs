//! The quality part of a peer report, as the contract has it: for each kind of track samples, and what they add up to.
//! Units are those of the browser's own statistics in samples (seconds) and those the names say in sums (percent,
//! milliseconds). What Salon does not see is left out: jitter buffers, encoders, what limits them.

use std::collections::BTreeMap;

use salon_core::Timestamp;
use serde_json::{Map, Value, json};

use crate::rfc3339::rfc3339;
use salon_quality::{Role, Sample, Sum, Sums, Values};

/// `quality` of a report.
pub fn quality(sums: &Sums) -> BTreeMap<String, Value> {
    let mut told = BTreeMap::new();
    for (role, sum) in &sums.0 {
        told.insert(role.name().to_owned(), sum.samples.iter().map(|one| sample(*role, one)).collect());
        told.insert(format!("{}_cumulative", role.name()), cumulative(*role, sum));
    }
    told
}

fn sample(role: Role, sample: &Sample) -> Value {
    let seconds = |us: Option<u32>| us.map(|us| f64::from(us) / 1e6);
    let way = if role.produces() { "sent" } else { "received" };
    let mut told = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            told.insert(name.to_owned(), value);
        }
    };
    put("timestamp", rfc3339(Timestamp(sample.at_ms)).into());
    put("producer_id", sample.track.clone().into());
    put(&format!("bytes_{way}"), sample.bytes.into());
    put(&format!("packets_{way}"), sample.packets.into());
    put("packets_lost", sample.lost.into());
    put("jitter", seconds(sample.jitter_us).into());
    put("mos_quality", sample.score.map(|score| f64::from(score) / 100.0).into());
    if role.produces() {
        put("rtt", seconds(sample.rtt_us).into());
    } else {
        put("mid", sample.mid.clone().into());
        // Clients know what they consume by its producer.
        put("consumer_id", sample.track.clone().into());
        put("peer_id", sample.peer.clone().into());
    }
    if role.is_video() {
        put("frame_width", sample.size.map(|size| size.0).into());
        put("frame_height", sample.size.map(|size| size.1).into());
        put("frames_per_second", sample.frames_per_second.into());
        let asked = if role.produces() { Value::from(sample.key_frame_requests) } else { Value::Null };
        put("pli_count", asked);
    }
    Value::Object(told)
}

fn cumulative(role: Role, sum: &Sum) -> Value {
    let mut told = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        told.extend(value.map(|value| (name.to_owned(), value)));
    };
    put("packet_loss", fractions(&sum.loss, &[5, 10, 25, 50], ""));
    put("quality_mos", spread(&sum.score, 10.0));
    if role.produces() {
        put("rtt", fractions(&sum.rtt, &[100, 250, 500], "ms"));
    }
    if role.is_video() {
        put("frame_per_second", spread(&sum.frames_per_second, 1.0));
        put("frame_width", spread(&sum.width, 1.0));
        let share = |count: u32| f64::from(count) / f64::from(sum.looks.max(1));
        let mut issues = json!({ "no_video_fraction": share(sum.nothing) });
        if !role.produces() {
            issues["poor_resolution_fraction"] = share(sum.poor).into();
            issues["lag_fraction"] = share(sum.lagging).into();
        }
        put("issues", Some(issues));
    }
    Value::Object(told)
}

fn spread(values: &Values, per: f64) -> Option<Value> {
    let percentile = |percent| values.percentile(percent).map(|value| value / per);
    let average = values.average()? / per;
    Some(json!({ "avg": average, "p50": percentile(50), "p75": percentile(75), "p90": percentile(90) }))
}

fn fractions(values: &Values, bounds: &[u16], unit: &str) -> Option<Value> {
    let mut told = Map::new();
    told.insert("avg".to_owned(), values.average()?.into());
    for bound in bounds {
        told.insert(format!("{bound}{unit}_or_greater_event_fraction"), values.share_from(*bound)?.into());
    }
    Some(Value::Object(told))
}
