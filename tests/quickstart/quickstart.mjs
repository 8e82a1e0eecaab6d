const response = await fetch("http://127.0.0.1:8080/api/v1/extract/", {
  method: "POST",
  headers: {
    "Authorization": "Bearer dm_YOUR_KEY",
    "Content-Type": "application/json",
  },
  body: JSON.stringify({
    document_text: "Invoice #2847\nDate: 2026-01-15\nTotal: €1,249.00",
    template: { invoice_number: null, date: null, total_amount: null },
  }),
});
console.log(JSON.stringify((await response.json()).extracted_data));
