"""How a picture is posted."""

_BOUNDARY = "convscope-bench"


def upload(picture: bytes, media_type: str, field: str | None) -> tuple[dict[str, str], bytes]:
    """Return headers and body that post the picture.

    field: name of the multipart field that holds it; None posts the bare bytes.
    """
    if field is None:
        return {"Content-Type": media_type}, picture
    head = (
        f"--{_BOUNDARY}\r\n"
        f'Content-Disposition: form-data; name="{field}"; filename="picture"\r\n'
        f"Content-Type: {media_type}\r\n\r\n"
    )
    body = head.encode() + picture + f"\r\n--{_BOUNDARY}--\r\n".encode()
    return {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}, body
