//! Who gets a socket, and who a socket speaks for.

use salon_core::{MeetingId, PresetId, Timestamp};
use salon_server::token::{Bearer, Tokens};
use salon_wire::event_id::{media, room};
use salon_wire::signaling::socket::room as wire;

use crate::client::{Client, NOTHING};
use crate::house::{House, Person, dev, fresh};

async fn status(person: &Person) -> u16 {
    match Client::connect(person).await {
        Ok(_) => panic!("{} was let in", person.name),
        Err(status) => status,
    }
}

#[tokio::test]
async fn only_a_good_token_of_this_meeting_opens_a_socket() {
    let house = House::open().await;
    let (meeting, elsewhere) = (house.meeting().await, house.meeting().await);
    let alice = house.guest(&meeting, "Alice").await;
    let with = |token: String| Person { token, ..alice.clone() };

    assert_eq!(status(&with(String::new())).await, 401, "no token");
    assert_eq!(status(&with("eyJhbGciOiJub25lIn0.eyJvcmdJZCI6ImRldiJ9.".to_owned())).await, 401, "not signed");
    let now = house.app.clock.now();
    let bearer = |meeting: &MeetingId| Bearer {
        app: dev(),
        meeting: meeting.clone(),
        participant: salon_core::ParticipantId::parse(&alice.participant).unwrap(),
    };
    let preset = PresetId::parse("p").unwrap();
    let forged = Tokens::new(b"a guess", 100).sign(&bearer(&meeting), &preset, now);
    assert_eq!(status(&with(forged)).await, 401, "signed by somebody else");
    let body = alice.token.split('.').nth(1).unwrap();
    let other = house.host(&elsewhere, "Bob").await.token.replace(house_body(&house, &elsewhere, &alice).as_str(), body);
    assert_eq!(status(&with(other.split('.').next().unwrap().to_owned() + "." + body + ".AAAA")).await, 401, "signature torn off");
    let expired = house.app.tokens.sign(&bearer(&meeting), &preset, Timestamp(now.0 - 101 * 86_400_000));
    assert_eq!(status(&with(expired)).await, 401, "expired");
    let moved = house.app.tokens.sign(&bearer(&elsewhere), &preset, now);
    assert_eq!(status(&with(moved.clone())).await, 403, "of another meeting than the address names");
    let moved = Person { meeting: elsewhere.to_string(), ..with(moved) };
    assert_eq!(status(&moved).await, 401, "of a meeting that the participant is not in");
    assert_eq!(status(&Person { peer: "not an id!".replace(' ', "%20"), ..alice.clone() }).await, 400);
    alice.join().await.leave().await;
}
