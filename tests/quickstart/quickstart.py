import requests

response = requests.post(
    "http://127.0.0.1:8080/api/v1/extract/",
    headers={"Authorization": "Bearer dm_YOUR_KEY"},
    json={
        "document_text": "Invoice #2847\nDate: 2026-01-15\nTotal: €1,249.00",
        "template": {"invoice_number": None, "date": None, "total_amount": None},
    },
)
print(response.json()["extracted_data"])
