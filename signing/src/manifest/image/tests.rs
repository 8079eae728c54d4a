#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;

fn chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&length[..], kind, body, &[0; 4]].concat()
}

fn png_of(width: u32, height: u32, more: &[u8]) -> Vec<u8> {
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    [&b"\x89PNG\r\n\x1a\n"[..], &chunk(b"IHDR", &header), more, &chunk(b"IDAT", b"x"), &chunk(b"IEND", b"")].concat()
}

fn jpeg_of(width: u16, height: u16, more: &[u8]) -> Vec<u8> {
    let frame = [&[0xff, 0xc0, 0, 8, 8][..], &height.to_be_bytes(), &width.to_be_bytes(), &[1]].concat();
    [&b"\xff\xd8\xff\xe0\x00\x04JF"[..], more, &frame, b"\xff\xda\x00\x02scan\xff\xd9"].concat()
}

fn webp_of(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let chunk = |(kind, body): &(&[u8; 4], &[u8])| {
        let length = u32::try_from(body.len()).unwrap().to_le_bytes();
        [&kind[..], &length, body, if body.len() % 2 == 1 { &[0] } else { &[] }].concat()
    };
    let body = [b"WEBP".to_vec(), chunks.iter().map(chunk).collect::<Vec<_>>().concat()].concat();
    [b"RIFF".to_vec(), u32::try_from(body.len()).unwrap().to_le_bytes().to_vec(), body].concat()
}

fn lossless(width: u32, height: u32) -> Vec<u8> {
    [&[0x2f][..], &((width - 1) | (height - 1) << 14).to_le_bytes()].concat()
}

fn uri(media_type: &str, data: &[u8]) -> Image {
    Image(format!("data:{media_type};base64,{}", STANDARD.encode(data)))
}

#[test]
fn each_kind_is_read_and_written() {
    let lossy = [&[0, 0, 0, 0x9d, 0x01, 0x2a][..], &7_u16.to_le_bytes(), &9_u16.to_le_bytes()].concat();
    for (media_type, data) in [
        ("image/png", png_of(7, 9, b"")),
        ("image/jpeg", jpeg_of(7, 9, b"")),
        ("image/webp", webp_of(&[(b"VP8L", &lossless(7, 9))])),
        ("image/webp", webp_of(&[(b"VP8 ", &lossy)])),
        ("image/webp", webp_of(&[(b"VP8X", &[0, 0, 0, 0, 6, 0, 0, 8, 0, 0]), (b"VP8L", &lossless(7, 9))])),
    ] {
        let image = Image::of(&data).unwrap();
        assert_eq!(image, uri(media_type, &data));
        assert_eq!(image.icon(), Ok(Picture { media_type, data, width: 7, height: 9, annotated: false }));
    }
}

#[test]
fn a_picture_is_shown_as_a_digest() {
    let image = Image::of(&png_of(7, 9, b"")).unwrap();
    let shown = image.to_string();
    assert!(shown.starts_with("image/png, 7x9 pixels, 58 bytes, sha256:") && shown.len() == 104, "{shown}");
    assert_eq!(format!("{image:?}"), format!("Image({shown})"));
    let value = serde_json::json!({ "icon": image, "list": [image], "text": "data:image/png;base64,AA==" });
    let expected = serde_json::json!({ "icon": shown, "list": [shown], "text": "data:image/png;base64,AA==" });
    assert_eq!(described(value), expected);
}

#[test]
fn what_is_no_picture_is_refused() {
    let png = png_of(7, 9, b"");
    let shape = |name| ImageError::Shape(name);
    for (image, error) in [
        (Image("https://example.com/icon.png".to_owned()), ImageError::Address),
        (Image("http://127.0.0.1/icon.png".to_owned()), ImageError::Address),
        (Image("file:///etc/passwd".to_owned()), ImageError::Address),
        (Image("icon.png".to_owned()), ImageError::Address),
        (Image("DATA:image/png;base64,".to_owned()), ImageError::Address),
        (Image("data:,text".to_owned()), ImageError::Kind),
        (Image("data:image/png,%89PNG".to_owned()), ImageError::Kind),
        (uri("image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>"), ImageError::Kind),
        (uri("text/html", &png), ImageError::Kind),
        (uri("image/PNG", &png), ImageError::Kind),
        (uri("image/png;charset=x", &png), ImageError::Kind),
        (uri("image/gif", b"GIF89a"), ImageError::Kind),
        (Image(format!("data:image/png;base64,{}", STANDARD.encode(&png).replace('=', ""))), ImageError::Base64),
        (Image(format!("data:image/png;base64, {}", STANDARD.encode(&png))), ImageError::Base64),
        (Image("data:image/png;base64,_-__".to_owned()), ImageError::Base64),
        (uri("image/png", b"<svg xmlns='http://www.w3.org/2000/svg'/>"), shape("PNG")),
        (uri("image/png", b""), shape("PNG")),
        (uri("image/jpeg", &png), shape("JPEG")),
        (uri("image/webp", &png), shape("WebP")),
        (uri("image/png", &png[..png.len() - 1]), shape("PNG")),
        (uri("image/png", &[&png[..], b"<script>"].concat()), shape("PNG")),
        (uri("image/jpeg", &[&jpeg_of(7, 9, b"")[..], b"PK"].concat()), shape("JPEG")),
        (uri("image/webp", &[&webp_of(&[(b"VP8L", &lossless(7, 9))])[..], b"PK"].concat()), shape("WebP")),
        (uri("image/webp", &webp_of(&[(b"ALPH", b"xx")])), shape("WebP")),
        (uri("image/png", &png_of(0, 9, b"")), ImageError::Pixels { width: 0, height: 9, max: 512 }),
        (uri("image/png", &png_of(7, 513, b"")), ImageError::Pixels { width: 7, height: 513, max: 512 }),
        (uri("image/png", &png_of(7, 9, &chunk(b"IDAT", &[0; 4096]))), ImageError::Bytes { bytes: 4166, max: 4096 }),
    ] {
        assert_eq!(image.icon(), Err(error), "{}", image.as_uri());
    }
    assert_eq!(Image::of(b"<svg/>"), Err(ImageError::Kind));
}

#[test]
fn a_file_that_unfolds_to_a_flood_is_no_picture() {
    let image = uri("image/png", &png_of(60_000, 60_000, b""));
    assert_eq!(image.picture(), Err(ImageError::Pixels { width: 60_000, height: 60_000, max: 4096 }));
    // The canvas, whatever the picture on it says.
    let canvas = webp_of(&[(b"VP8X", &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0, 0, 0]), (b"VP8L", &lossless(7, 9))]);
    assert!(matches!(uri("image/webp", &canvas).picture(), Err(ImageError::Pixels { width: 16_777_216, .. })));
    assert!(matches!(uri("image/png", &vec![0; 40 << 10]).picture(), Err(ImageError::Bytes { .. })));
}

#[test]
fn words_in_a_picture_are_noticed() {
    for data in [
        png_of(7, 9, &chunk(b"tEXt", b"Comment\0ignore all")),
        png_of(7, 9, &chunk(b"eXIf", b"MM")),
        jpeg_of(7, 9, b"\xff\xfe\x00\x04hi"),
        jpeg_of(7, 9, b"\xff\xe1\x00\x04Ex"),
        webp_of(&[(b"VP8L", &lossless(7, 9)), (b"XMP ", b"<x/>")]),
    ] {
        assert!(Image::of(&data).unwrap().icon().unwrap().annotated);
    }
}

#[test]
fn an_author_names_a_file() {
    assert_eq!(Image("art/icon.png".to_owned()).file(), Some("art/icon.png"));
    for address in ["https://example.com/a.png", "data:image/png;base64,", "C:\\icon.png"] {
        assert_eq!(Image(address.to_owned()).file(), None);
    }
}

proptest::proptest! {
    /// Whatever the bytes are, they are read without a panic, and as no more than one kind.
    #[test]
    fn never_panics(data in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..64), kind in 0_usize..3, cut in 0_usize..80) {
        let whole = [png_of(3, 4, b""), jpeg_of(3, 4, b""), webp_of(&[(b"VP8L", &lossless(3, 4))])];
        let head = &whole[kind][..cut.min(whole[kind].len())];
        let data = [head, &data[..]].concat();
        let kinds = [png, jpeg, webp].iter().filter(|read| read(&data).is_some()).count();
        proptest::prop_assert!(kinds <= 1);
    }
}
