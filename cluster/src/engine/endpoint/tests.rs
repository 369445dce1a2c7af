use proptest::prelude::*;

use super::*;

#[test]
fn endpoints_read_back_as_written() {
    for text in [
        "unix:///var/run/docker.sock",
        "tcp://127.0.0.1:2375",
        "tcp://engine.example:2376?certs=/home/me/.docker",
        "tcp://[::1]:2375",
        "ssh://host",
        "ssh://me@host:2222",
        "ssh://me@host:2222/run/user/1000/docker.sock",
        "ssh://me@host?config=/tmp/ssh_config",
    ] {
        let endpoint: Endpoint = text.parse().unwrap();
        assert_eq!(endpoint.to_string(), text);
    }
}

#[test]
fn usual_ports_and_sockets_are_filled_in() {
    let read = |text: &str| text.parse::<Endpoint>().unwrap().to_string();
    assert_eq!(read("/run/x.sock"), "unix:///run/x.sock");
    assert_eq!(read("tcp://localhost"), "tcp://localhost:2375");
    assert_eq!(read("tcp://h?certs=/c"), "tcp://h:2376?certs=/c");
    assert_eq!(read("ssh://h/"), "ssh://h");
}

#[test]
fn nonsense_is_refused_with_the_forms_there_are() {
    for text in [
        "",
        "docker.sock",
        "unix://relative",
        "http://host",
        "tcp://",
        "tcp://host:0",
        "tcp://host:65536",
        "tcp://host:2376?certs=relative",
        "tcp://host:2376?other=/x",
        "tcp://[::1",
        "ssh://",
        "ssh://-oProxyCommand=x",
        "ssh://-x@host",
        "ssh://ho st",
    ] {
        let message = text.parse::<Endpoint>().unwrap_err().to_string();
        assert!(message.contains("write unix:///path"), "{text}: {message}");
    }
}

#[test]
fn plain_tcp_goes_no_further_than_the_loopback() {
    let checked = |text: &str| text.parse::<Endpoint>().unwrap().checked();
    assert!(checked("tcp://127.0.0.1:2375").is_ok());
    assert!(checked("tcp://10.0.0.5:2376?certs=/c").is_ok());
    assert!(matches!(
        checked("tcp://10.0.0.5:2375"),
        Err(EndpointError::PlainTcp(_))
    ));
}

#[test]
fn each_kind_has_its_way_to_the_api_server() {
    let reach = |text: &str| text.parse::<Endpoint>().unwrap().api_host();
    assert_eq!(reach("/run/x.sock"), ApiReach::Local);
    assert_eq!(reach("tcp://localhost:1"), ApiReach::Local);
    assert_eq!(
        reach("tcp://10.0.0.5:2376?certs=/c"),
        ApiReach::Host("10.0.0.5".into())
    );
    assert!(matches!(reach("ssh://h"), ApiReach::Tunnel(target) if target.host == "h"));
}

#[tokio::test]
async fn the_api_is_published_where_it_is_reached() {
    let publish = |text: &str| {
        let reach = text.parse::<Endpoint>().unwrap().api_host();
        async move { reach.publish_address().await.unwrap().to_string() }
    };
    assert_eq!(publish("ssh://h").await, "127.0.0.1");
    assert_eq!(publish("/run/x.sock").await, "127.0.0.1");
    assert_eq!(publish("tcp://10.0.0.5:2376?certs=/c").await, "10.0.0.5");
}

proptest! {
    #[test]
    fn whatever_is_accepted_reads_back_the_same(text in "(unix|tcp|ssh)://[a-z0-9@:/?=.\\[\\]-]{0,30}") {
        if let Ok(endpoint) = text.parse::<Endpoint>() {
            prop_assert_eq!(endpoint.to_string().parse::<Endpoint>().unwrap(), endpoint);
        }
    }
}
