"""Says on which weekday a date falls. An AWS Lambda handler like any other: it knows nothing of Apus."""

import datetime


def handler(event, context):
    if event.get("detail-type") == "Scheduled Event":
        print("It is", name(datetime.date.fromisoformat(event["time"][:10])))
        return None
    text = event.get("pathParameters", {}).get("date") or datetime.date.today().isoformat()
    try:
        date = datetime.date.fromisoformat(text)
    except ValueError:
        message = f"'{text}' is no date; write it as 2026-12-24\n"
        return {"statusCode": 400, "headers": {"content-type": "text/plain"}, "body": message}
    # Without a statusCode, what is returned is the body.
    return {"date": date.isoformat(), "weekday": name(date)}


def name(date):
    return date.strftime("%A")
