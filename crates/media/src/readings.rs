//! The media server's counters, and how good all calls are, as readings for the metrics.

mod quality;

use salon_sfu::{DropReason, Sfu, Snapshot, TcpEnd};

/// A value read at scrape: name without `salon_`, what it is, the value.
///
/// A name may end in labels, as in `media_drops_total{reason="x"}`; those of one family stand side by side. One that
/// ends in `_total` is a counter, in `_bucket`, `_sum` or `_count` part of a histogram, another a gauge.
pub type Reading = (String, &'static str, f64);

/// Everything the media server measures, as of now.
pub async fn readings(sfu: &Sfu) -> Vec<Reading> {
    let (snapshot, totals) = (sfu.snapshot().await, sfu.quality_totals().await);
    let counters = counters(&snapshot).into_iter().map(|(name, help, value)| (name.to_owned(), help, value));
    counters.chain(quality::readings(&totals)).collect()
}

/// Those of a picture of the media server.
fn counters(snapshot: &Snapshot) -> Vec<(&'static str, &'static str, f64)> {
    let mut readings: Vec<(&'static str, &'static str, f64)> = vec![
        ("media_rooms", "Rooms with at least one transport", snapshot.rooms as f64),
        ("media_transports", "Transports, connected or not", snapshot.transports as f64),
        ("media_connected_transports", "Transports whose ICE and DTLS are up", snapshot.connected_transports as f64),
        ("media_producers", "Tracks coming in", snapshot.producers as f64),
        ("media_consumers", "Tracks going out", snapshot.consumers as f64),
        ("media_datagrams_in_total", "Datagrams received", snapshot.datagrams_in as f64),
        ("media_datagrams_out_total", "Datagrams sent", snapshot.datagrams_out as f64),
        ("media_bytes_in_total", "Bytes received, without UDP and IP headers", snapshot.bytes_in as f64),
        ("media_bytes_out_total", "Bytes sent, without UDP and IP headers", snapshot.bytes_out as f64),
        ("media_packets_in_total", "RTP packets of tracks that came in", snapshot.packets_in as f64),
        ("media_packets_out_total", "RTP packets sent, without those sent again", snapshot.packets_out as f64),
        (
            "media_packets_crossed_total",
            "RTP packets that went from one media thread to another",
            snapshot.packets_crossed as f64,
        ),
        ("media_key_frame_requests_in_total", "Key frames asked for by subscribers", snapshot.key_frame_requests_in as f64),
        ("media_key_frame_requests_out_total", "Key frames asked of publishers", snapshot.key_frame_requests_out as f64),
        ("media_nacks_in_total", "Reports of packets lost on the way out", snapshot.nacks_in as f64),
        ("media_nacks_out_total", "Reports of packets lost on the way in", snapshot.nacks_out as f64),
        ("media_layer_switches_total", "Tracks going out that changed quality", snapshot.layer_switches as f64),
        ("relay_links", "Connections for media with other nodes", snapshot.relay_links as f64),
        ("relay_watched", "Tracks of other nodes that are here", snapshot.relay_watched as f64),
        ("relay_shown", "Tracks that are at other nodes, once for each node", snapshot.relay_shown as f64),
        (
            "relay_packets_out_total",
            "RTP packets sent to other nodes, without those sent again",
            snapshot.relay_packets_out as f64,
        ),
        ("relay_packets_in_total", "RTP packets of other nodes", snapshot.relay_packets_in as f64),
        ("relay_resent_total", "RTP packets sent to other nodes again", snapshot.relay_resent as f64),
        ("relay_repaired_total", "RTP packets of other nodes that were missing and came", snapshot.relay_repaired as f64),
        ("relay_lost_total", "RTP packets of other nodes that never came", snapshot.relay_lost as f64),
        ("media_panics_total", "Transports ended by a bug", snapshot.panics as f64),
    ];
    readings.extend(
        snapshot
            .drops
            .iter()
            .map(|(reason, count)| (drop_name(*reason), "Datagrams and packets that went nowhere", *count as f64)),
    );
    readings.push(("media_tcp_connections", "TCP connections for media", snapshot.tcp_connections as f64));
    let ended = snapshot.tcp_ended.iter();
    readings.extend(ended.map(|(end, count)| (end_name(*end), "TCP connections for media that ended", *count as f64)));
    readings
}

fn drop_name(reason: DropReason) -> &'static str {
    match reason {
        DropReason::Stranger => "media_drops_total{reason=\"stranger\"}",
        DropReason::RefusedStun => "media_drops_total{reason=\"refused_stun\"}",
        DropReason::Unverified => "media_drops_total{reason=\"unverified\"}",
        DropReason::Malformed => "media_drops_total{reason=\"malformed\"}",
        DropReason::OverRate => "media_drops_total{reason=\"over_rate\"}",
        DropReason::TooManyStreams => "media_drops_total{reason=\"too_many_streams\"}",
        DropReason::NoProducer => "media_drops_total{reason=\"no_producer\"}",
        DropReason::Paused => "media_drops_total{reason=\"paused\"}",
        DropReason::BeyondCap => "media_drops_total{reason=\"beyond_cap\"}",
        DropReason::SendBufferFull => "media_drops_total{reason=\"send_buffer_full\"}",
        DropReason::SendFailed => "media_drops_total{reason=\"send_failed\"}",
        DropReason::EventQueueFull => "media_drops_total{reason=\"event_queue_full\"}",
        DropReason::CrossingFull => "media_drops_total{reason=\"crossing_full\"}",
    }
}

fn end_name(end: TcpEnd) -> &'static str {
    match end {
        TcpEnd::Left => "media_tcp_ended_total{reason=\"left\"}",
        TcpEnd::Over => "media_tcp_ended_total{reason=\"over\"}",
        TcpEnd::Unproven => "media_tcp_ended_total{reason=\"unproven\"}",
        TcpEnd::Malformed => "media_tcp_ended_total{reason=\"malformed\"}",
        TcpEnd::Stalled => "media_tcp_ended_total{reason=\"stalled\"}",
        TcpEnd::TooMany => "media_tcp_ended_total{reason=\"too_many\"}",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_go_by_the_media_servers_own_names() {
        for reason in DropReason::ALL {
            assert_eq!(drop_name(reason), format!("media_drops_total{{reason=\"{}\"}}", reason.name()));
        }
        for end in TcpEnd::ALL {
            assert_eq!(end_name(end), format!("media_tcp_ended_total{{reason=\"{}\"}}", end.name()));
        }
    }
}
