-- wrk: POST 1 KiB.
wrk.method = "POST"
wrk.body = string.rep("v", 1024)
wrk.headers["Content-Type"] = "application/octet-stream"
