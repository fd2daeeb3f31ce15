import Wire

/// SplitMix64 (Steele, Lea, Flood 2014): the same frames and the same garbage in every run.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

/// Random frames of every type, in turn.
struct FrameGenerator {
    static let kinds = 30
    var random: SeededGenerator

    mutating func frame(_ index: Int) -> Frame { Frame(call: number(), message(index % Self.kinds)) }

    private mutating func message(_ kind: Int) -> Message {
        switch kind {
        case 0: .hello(Hello(version: number(), triggers: number(), sdk: text()))
        case 1: .welcome(Welcome(version: number(), concurrency: number(), window: number(), function: text()))
        case 2: .goodbye
        case 3: .call(head(.http), body: .bytes(data()), end: flag())
        case 4: .call(head(.timer), body: .bytes(data()), end: flag())
        case 5: .call(head(.file), body: .bytes([]), end: true)
        case 6: .call(head([.topic, .state][Int(number(UInt8.self)) % 2]), body: .bytes(data()), end: flag())
        case 7: .cancel
        case 8: .body(.bytes(data()), end: flag())
        case 9: .credit(number())
        case 10: .reset(reason: text())
        case 11: .response(status: number(), headers: fields(), body: .bytes(data()), end: flag())
        case 12: .acknowledge
        case 13: .failure(permanent: flag(), message: text())
        case 14: .log(level: number(), text: text(), metadata: fields())
        case 15...21: .state(request: number(), scope: number(), request(kind - 15))
        case 27: .fork(number: number(), environment: fields())
        case 28: .forked(number: number(), process: number(), reason: text())
        case 29:
            .state(
                request: number(), scope: number(),
                .found(key: text(), value: data(), version: number(), isRead: flag()))
        default: .stateReply(request: number(), reply(kind - 22))
        }
    }

    private mutating func request(_ kind: Int) -> StateRequest {
        switch kind {
        case 0: .get(key: text())
        case 1: .set(key: text(), value: data())
        case 2: .delete(key: text())
        case 3: .increment(key: text(), by: number())
        case 4: .list(prefix: text(), after: flag() ? text() : nil, limit: number())
        case 5:
            .send(WireMessage(target: text(), after: number(), attributes: fields(), data: data()))
        default: flag() ? .commit : .abandon
        }
    }

    private mutating func reply(_ kind: Int) -> StateReply {
        switch kind {
        case 0: .value(data())
        case 1: flag() ? .absent : .done
        case 2: .number(number())
        case 3: .entries((0..<count()).map { _ in WireEntry(key: text(), value: data()) }, more: flag())
        default: flag() ? .conflict : .failed(code: text(), message: text())
        }
    }

    private mutating func head(_ kind: CallHead.Kind) -> CallHead {
        var head = CallHead(
            kind: kind, invocation: WireID(high: number(), low: number()), attempt: number(), time: number())
        if kind == .http {
            head.request = WireRequest(
                method: text(), path: text(), query: text(), remoteAddress: text(), parameters: fields(),
                headers: fields())
        } else {
            head.attributes = fields()
        }
        return head
    }

    private mutating func number<Number: FixedWidthInteger>(_: Number.Type = Number.self) -> Number {
        let all = [0, 1, Number.max, Number.min, Number(truncatingIfNeeded: random.next())]
        return all[Int.random(in: 0..<all.count, using: &random)]
    }

    private mutating func flag() -> Bool { Bool.random(using: &random) }

    private mutating func count() -> Int { [0, 1, 2, 7][Int.random(in: 0..<4, using: &random)] }

    private mutating func text() -> String {
        String(
            (0..<count() * 3).map { _ in ["a", "/", "é", "日", "\0", "👩‍🚀"].randomElement(using: &random) ?? "b" }.joined()
        )
    }

    private mutating func data() -> [UInt8] { (0..<count() * 50).map { _ in UInt8(truncatingIfNeeded: random.next()) } }

    private mutating func fields() -> [WireField] { (0..<count()).map { _ in WireField(text(), text()) } }
}
