curl -sS http://127.0.0.1:8080/api/v1/extract/ \
  -H "Authorization: Bearer dm_YOUR_KEY" \
  -H "Content-Type: application/json" \
  -d '{
    "document_text": "Invoice #2847\nDate: 2026-01-15\nTotal: €1,249.00",
    "template": {"invoice_number": null, "date": null, "total_amount": null}
  }'
