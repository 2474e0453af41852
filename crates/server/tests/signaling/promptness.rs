//! What the server says leaves at once: nothing waits for a client to acknowledge what left before. A system that gathers
//! small writes would hold the second of two messages back for some 40 ms.

use std::time::{Duration, Instant};

use salon_wire::event_id::room;
use salon_wire::signaling::socket::room as wire;

use crate::client::{Client, NOTHING, frame};
use crate::house::{House, fresh};

/// Of two messages, the second comes this soon after the first.
const AT_ONCE: Duration = Duration::from_millis(10);

/// On a busy machine a test may be late at any moment, but not most of the time.
const ROUNDS: usize = 25;

/// Between rounds a client is silent for longer than a system puts off its acknowledgements: then it does put them off.
const SILENCE: Duration = Duration::from_millis(60);

/// Each port that takes websockets: shared with media, and for itself.
#[tokio::test(flavor = "multi_thread")]
async fn the_second_of_two_messages_is_no_later_than_the_first() {
    for shared in [true, false] {
        let house = House::with(|config| config.media.tcp = shared).await;
        let meeting = house.meeting().await;
        // Several, because one may not say that much.
        let mut speakers = Vec::new();
        for name in ["Ada", "Bea", "Cem", "Dan", "Eva", "Fay"] {
            speakers.push(house.host(&meeting, name).await.join().await);
        }
        let mut bob = house.host(&meeting, "Bob").await.join().await;
        let word = |text: &str| wire::BroadcastMessage { r#type: text.to_owned(), ..wire::BroadcastMessage::default() };

        let (mut pushes, mut answers) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let speaker = &mut speakers[round % 6];
            bob.forget().await;
            tokio::time::sleep(SILENCE).await;
            for text in ["one", "two"] {
                speaker.feed(frame(room::BROADCAST_MESSAGE, &fresh(), &word(text))).await;
            }
            speaker.flush().await;
            pushes.push(gap(&mut bob, room::BROADCAST_MESSAGE).await);

            bob.forget().await;
            tokio::time::sleep(SILENCE).await;
            for _ in 0..2 {
                bob.feed(frame(room::GET_ROOM_INFO, &fresh(), NOTHING)).await;
            }
            bob.flush().await;
            answers.push(gap(&mut bob, room::GET_ROOM_INFO).await);
        }
        for (what, gaps) in [("pushes", &mut pushes), ("answers", &mut answers)] {
            gaps.sort_unstable();
            assert!(gaps[ROUNDS / 2] < AT_ONCE, "{what}, port shared with media: {shared}: {gaps:?}");
        }
    }
}

/// The time between two messages of this event.
async fn gap(client: &mut Client, event: u32) -> Duration {
    client.hear::<()>(event).await;
    let first = Instant::now();
    client.hear::<()>(event).await;
    first.elapsed()
}
