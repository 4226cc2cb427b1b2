use super::is_call;

#[test]
fn calls_are_known_by_their_media_type() {
    for call in ["application/grpc", "application/grpc+proto", "Application/gRPC;x=y", "application/grpc ; a"]
    {
        assert!(is_call(call.as_bytes()), "{call}");
    }
    for other in
        ["application/grpc-web", "application/grpc-web+proto", "application/grp", "application/json", ""]
    {
        assert!(!is_call(other.as_bytes()), "{other}");
    }
}
